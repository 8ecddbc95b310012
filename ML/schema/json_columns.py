"""Gathers the rows of one JSON request piece by piece, and their errors."""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from ML.errors import Invalid
from ML.schema.json_pieces import NotJson
from ML.tables import names
from ML.tables.columns import Columns
from ML.tables.csv_table import check_rows

if TYPE_CHECKING:
    from ML.schema.json_rows import JsonRows

SOME = 100
"""How many rows are checked at once for a list of errors: those of a million rows would take gigabytes."""


class RowCollector:
    """Gathers rows that are objects or arrays, checked by the types of `instances`."""

    def __init__(self, instances: "JsonRows", as_arrays: bool, most_rows: int) -> None:
        self.rows, self.columns = 0, Columns(instances.schema.kinds)
        self.unused: dict[str, None] = {}
        self.errors: list[ErrorDetails] = []
        """The first errors, at least a hundred if there are as many."""
        self.count = 0
        """The number of all errors."""
        self._instances, self._as_arrays, self._most_rows = instances, as_arrays, most_rows

    def add_json(self, data: bytes) -> None:
        """Add the rows of a JSON array. Raise NotJson, TooLarge and, for a row with too many keys, Invalid."""
        try:
            self._add(self._instances.fast[self._as_arrays].validator.validate_json(data))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            if first["type"] == "json_invalid":
                raise NotJson(first["msg"], data) from None
            self._refuse(from_json(data))

    def add(self, values: list[Any]) -> None:
        """Add rows given as Python values. Raise TooLarge and Invalid."""
        try:
            self._add(self._instances.fast[self._as_arrays].validator.validate_python(values))
        except ValidationError:
            self._refuse(values)

    def _add(self, rows: Sequence[Any]) -> None:
        self._count_rows(len(rows))
        if not self._as_arrays:
            self._find_unused(rows)
            rows = list(map(self._instances.cells, rows))
        if rows and not self.count:
            self.columns.add(list(zip(*rows, strict=True)))

    def _count_rows(self, more: int) -> None:
        check_rows(self.rows + more, self._most_rows)
        self.rows += more

    def _find_unused(self, rows: Sequence[dict[str, Any]]) -> None:
        schema = self._instances.schema
        wide = [row for row in rows if len(row) > len(schema.columns)]
        if not wide:
            return
        if (most := max(map(len, wide))) > names.MOST:
            row = self.rows - len(rows) + next(place for place, row in enumerate(rows) if len(row) == most)
            message = f"instances[{row}]: the row has {most:,} keys; at most {names.MOST:,} are allowed"
            raise Invalid.at("instances", row, msg=message, type="too_many_keys")
        if len(self.unused) < names.MOST:
            self.unused |= dict.fromkeys(
                schema.unused(dict.fromkeys(chain.from_iterable(wide)), self._instances.target)
            )

    def _refuse(self, values: list[Any]) -> None:
        """Count the errors of these rows, and keep the first hundred."""
        for start in range(0, len(values), SOME):
            try:
                self._instances.kinds[self._as_arrays].validate_python(values[start : start + SOME])
            except ValidationError as wrong:
                self.count += wrong.error_count()
                if len(self.errors) < Invalid.most:
                    self.errors += _moved(wrong, self.rows + start)
        self._count_rows(len(values))


def _moved(error: ValidationError, first: int) -> list[ErrorDetails]:
    """Return the errors of a piece, with their places among all rows."""
    errors = error.errors(include_url=False, include_context=False)
    for item in errors:
        item["loc"] = ("instances", first + int(item["loc"][0]), *item["loc"][1:])
    return errors
