"""The columns that a model learned: what every request is checked against and converted by."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel

from ML.errors import Invalid
from ML.schema import cells
from ML.tables import names as column_names
from ML.tables.columns import Columns
from ML.tables.csv_table import Table, check_rows
from ML.tables.names import Spelling, header_hint

FREQUENT = 0.05
QUANTILES = (0.5, 0.1, 0.3, 0.7, 0.9)
LONGEST_INPUT = 1000
"""Characters of a cell that an error keeps."""
REMEDY = "put a value there, or train with rows where it is missing and a pipeline that imputes it"

Value = bool | int | float | str | None
"""A cell as JSON."""


class Column(BaseModel, frozen=True):
    """One feature. `gaps` tells whether it may be missing; `examples` are made up, never a row of somebody's data."""

    name: str
    kind: cells.Kind
    words: tuple[str, ...] = ()
    gaps: bool = True
    examples: tuple[Value, ...] = ()

    @property
    def convert(self) -> Callable[[str], Any]:
        """From a text cell to what the pipeline sees. Raises ValueError."""
        return cells.converter(self.kind, self.words)


class Schema(BaseModel, frozen=True):
    """The features in the order of the training table."""

    columns: tuple[Column, ...]
    ignored: tuple[str, ...] = ()
    """Columns of the training table that were empty, so that there was nothing to learn."""

    @cached_property
    def names(self) -> list[str]:
        """The features' names, in order."""
        return [column.name for column in self.columns]

    def frame(self, values: Iterable[Sequence[Any]]) -> pd.DataFrame:
        """Converted values, a sequence for each column, as the table that the pipeline gets."""
        arrays = [_array(column, part) for column, part in zip(self.columns, values, strict=True)]
        if all(column.kind != "text" for column in self.columns):
            return pd.DataFrame(np.column_stack(arrays), columns=self.names, copy=False)
        # From a dict pandas would make every text column its own string type, which costs more and says no more.
        return pd.DataFrame({i: pd.Series(array, dtype=array.dtype) for i, array in enumerate(arrays)}).set_axis(
            self.names, axis=1
        )

    @cached_property
    def kinds(self) -> list[cells.Kind]:
        """The kinds of the features, in order."""
        return [column.kind for column in self.columns]

    def from_table(
        self, table: Table, target: str | None, most_rows: int
    ) -> tuple[Sequence[Sequence[Any]], Sequence[str] | None]:
        """The converted features of a CSV file, a sequence for each, and the cells of the target if it is there.

        Raises Invalid, naming every missing column and every cell that does not fit, and TooLarge.
        """
        check_names(self.names, table.header, "csv_file", target)
        place_of = {name: place for place, name in enumerate(table.header)}
        places = [place_of[name] for name in self.names]
        found, labels = Columns(self.kinds), Columns(["text"], missing="")
        errors: list[dict[str, Any]] = []
        for first, chunk in table.chunks():
            check_rows(first + len(chunk[0]) - 1, most_rows)
            parts = [
                convert(column, chunk[place], first, errors) for column, place in zip(self.columns, places, strict=True)
            ]
            if not errors:
                found.add(parts)
            if target in place_of:
                labels.add([list(chunk[place_of[str(target)]])])
            if len(errors) >= Invalid.counted:
                raise Invalid(errors, whole=False)
        if errors:
            raise Invalid(errors)
        return found.parts, labels.parts[0] if target in place_of else None

    def unused(self, names: Iterable[str], target: str) -> list[str]:
        """Those names that are no feature of this model: the first 10,000, each at a length that can be shown."""
        known = {*self.names, target}
        unknown = (name for name in names if name not in known)
        return [
            name if len(name) <= column_names.LONGEST else column_names.short(name)
            for name in islice(unknown, column_names.MOST)
        ]

    def examples(self) -> list[dict[str, Any]]:
        """Made-up rows, JSON-ready: the first is the middle of every column."""
        rows = zip(*(column.examples for column in self.columns), strict=False)
        return [dict(zip(self.names, row, strict=True)) for row in rows]


def convert(column: Column, part: Sequence[str], first: int, errors: list[dict[str, Any]]) -> list[Any]:
    """The cells of one column as the pipeline sees them; what does not fit is added to the errors, by row."""
    function = column.convert
    if column.kind == "number" and (numbers := cells.plain_numbers(part)):
        return numbers
    try:
        values = list(map(function, part))
        if column.gaps or all(value == value for value in values):
            return values
    except ValueError:
        values = []
    for row, cell in enumerate(part, first):
        try:
            if function(cell) != function(cell) and not column.gaps:
                raise ValueError(f"it is missing, and the model can't do without it; {REMEDY}")
        except ValueError as error:
            wrong = {
                "loc": ["body", "csv_file", row, column.name],
                "msg": f"row {row}, {column.name}: {error}",
                "type": f"{column.kind}_invalid",
                "input": cell[:LONGEST_INPUT],
            }
            # The caller reads the first hundred; the others are only counted, and may be millions.
            errors.append(wrong if len(errors) < Invalid.most else errors[-1])
    return values


def check_names(wanted: Sequence[str], found: Sequence[str], field: str, target: str | None = None) -> None:
    """Raises Invalid with every wanted column that is not there, each with the names that it may be spelt as."""
    there = set(found)
    missing = [name for name in wanted if name not in there]
    if missing:
        known = {*wanted, target}
        free = [name for name in found if name not in known]
        spelling, question = Spelling(), header_hint(found)
        raise Invalid(
            [
                {
                    "loc": ["body", field, name],
                    "msg": spelling.missing(name, free) + question,
                    "type": "missing_column",
                    "input": None,
                }
                for name in missing[: Invalid.most]
            ],
            len(missing),
        )


def learn(names: Sequence[str], table: Sequence[Sequence[str]]) -> tuple[Schema, pd.DataFrame]:
    """The schema of a training table (text cells, a list for each feature), and its rows as the pipeline sees them.

    Raises Invalid for a number that no float holds.
    """
    columns, parts, empty = [], [], []
    errors: list[dict[str, Any]] = []
    for name, part in zip(names, table, strict=True):
        learned = cells.learn(part)
        if learned is None:
            empty.append(name)
            continue
        column = Column(name=name, kind=learned[0], words=tuple(learned[1]))
        values = convert(column, part, 1, errors)
        examples = _examples(column, values) if not errors else ()
        columns.append(column.model_copy(update={"examples": examples, "gaps": any(v != v for v in values)}))
        parts.append(values)
    if errors:
        raise Invalid(errors)
    if not columns:
        raise Invalid.at(
            "body", "csv_file", type="csv_invalid", msg="the table has no column to learn from besides the target"
        )
    schema = Schema(columns=tuple(columns), ignored=tuple(empty))
    return schema, schema.frame(parts)


def _array(column: Column, values: Sequence[Any]) -> NDArray[Any]:
    if column.kind != "text":
        return np.array(values, dtype=float)
    array = np.empty(len(values), dtype=object)
    array[:] = [cells.NAN if value is None else value for value in values]
    return array


def _examples(column: Column, values: Sequence[Any]) -> tuple[Value, ...]:
    """Five values of a column that identify nobody: rounded quantiles, the middle first, or frequent words."""
    present = [value for value in values if value == value]
    if column.kind == "text":
        common = [
            text for text, count in Counter(present).most_common(5) if count > 1 and count >= FREQUENT * len(present)
        ]
        return tuple((common or ["text"])[i % max(len(common), 1)] for i in range(5))
    if column.kind == "flag":
        words = {"true": True, "false": False, "1": 1, "0": 0}
        usual = round(sum(present) / len(present))
        return tuple(words.get(word, word) for word in (column.words[(usual + i) % 2] for i in range(5)))
    # Of a quarter, because the difference of two floats may be more than a float holds.
    quantiles = (4 * np.quantile(np.divide(present, 4), QUANTILES)).tolist()
    if column.kind == "date":
        return tuple(str(np.datetime64(round(value), "D")) for value in quantiles)
    rounded = [_rounded(value) for value in quantiles]
    return tuple(map(int, rounded)) if all(value.is_integer() for value in present) else tuple(rounded)


def _rounded(value: float) -> float:
    """Three digits, so that it is nobody's own; the last numbers before infinity stay as they are."""
    rounded = float(f"{value:.3g}")
    return rounded if math.isfinite(rounded) else value
