"""The target column: what a model learns to predict, and how its labels are converted."""

import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ML.errors import Invalid
from ML.schema import cells
from ML.tables.csv_table import Table
from ML.tables.names import LONGEST, Spelling, header_hint, listed, short

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)

BLOCK = 10_000
"""How many cells are converted at once."""

Task = Literal["classification", "regression"]


class Target(BaseModel, frozen=True):
    """Name, task and type of the target. `classes` lists the labels in the order of the model's probabilities."""

    name: str
    task: Task
    type: Literal["integer", "number", "boolean", "string"]
    classes: tuple[bool | int | float | str, ...] | None = None

    def convert(self, column: Sequence[str]) -> NDArray[Any]:
        """Return text cells as `y`, shape (rows,). Raise Invalid, naming rows with a wrong or missing value."""
        return self._array(enumerate(column, 1))

    def known(self, column: Sequence[str]) -> tuple[Sequence[int], Sequence[Any]]:
        """Return the places of the rows that have a target, and their targets. Raise Invalid like `convert`."""
        if self.type == "string" and all(map(str.strip, column)):
            return range(len(column)), column
        kind: cells.Kind = "number" if self.type in ("integer", "number") else "date"
        places = array("I", (place for place, cell in enumerate(column) if not cells.is_gap(cell, kind)))
        rows = ((row, cell) for row, cell in enumerate(column, 1) if not cells.is_gap(cell, kind))
        return places, self._array(rows)  # type: ignore[return-value]

    def _array(self, rows: Iterator[tuple[int, str]]) -> NDArray[Any]:
        """Return the values of numbered rows. They are converted in blocks: a list of a million takes 60 MB."""
        dtype = {"integer": np.int64, "number": np.float64, "boolean": np.bool_, "string": object}[self.type]
        parts: list[NDArray[Any]] = [np.array([], dtype)]
        errors: list[dict[str, Any]] = []
        count = 0
        while block := list(islice(rows, BLOCK)):
            values = []
            for row, cell in block:
                try:
                    values.append(self._value(cell))
                except ValueError as error:
                    count += 1
                    if len(errors) < Invalid.most:
                        errors.append(self._wrong(row, cell, error))
            if count >= Invalid.counted:
                raise Invalid(errors, count, whole=False)
            parts.append(np.array(values, None if values and self.type == "integer" else dtype))
        if errors:
            raise Invalid(errors, count)
        return np.concatenate(parts)

    def _wrong(self, row: int, cell: str, error: ValueError) -> dict[str, Any]:
        message = f"row {row}, {self.name}: {error}"
        return {"loc": [row, self.name], "msg": message, "type": "target_invalid", "input": cell[:1000]}

    def _value(self, cell: str) -> Any:
        if not cell.strip():
            raise ValueError("the target is missing")
        if self.type == "boolean":
            return bool(cells.flag(("false", "true"))(cell))
        if self.type == "string":
            return cell
        value = cells.number(cell)
        if self.type == "integer" and INTEGER.fullmatch(cell.strip()):
            return int(cell)
        if value != value:
            raise ValueError("the target is missing")
        return int(value) if self.type == "integer" and value.is_integer() else value

    def to_model(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return `y` for `fit`. Labels such as 0.5 become text: scikit-learn takes fractions for a regression."""
        return np.array([repr(v) for v in y.tolist()], dtype=object) if self._as_text else y

    def from_model(self, labels: NDArray[Any]) -> list[Any]:
        """Return predictions as Python values of the target's own type, whatever array or dtype the model returned."""
        values: list[Any] = np.asarray(labels).ravel().tolist()
        return [float(value) for value in values] if self._as_text else values

    @property
    def _as_text(self) -> bool:
        return self.task == "classification" and self.type == "number"


def check_target(table: Table, name: str) -> None:
    """Raise Invalid if the table has no such column."""
    if name in table.header:
        return
    if len(name) > LONGEST:
        message = f"target_variable has {len(name):,} characters; a column's name has at most {LONGEST:,}"
    else:
        close = Spelling().similar(name, table.header)
        meant = f"; did you mean {short(close[0])}? " if close else ". "
        message = f"there is no column {short(name)}{meant}The columns are {listed(table.header)}"
        message += header_hint(table.header)
    raise Invalid.at(name, type="missing_column", input=name[:LONGEST], msg=message)
