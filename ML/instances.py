"""The JSON body of a prediction request: rows as objects or arrays, checked by a type made from the learned schema."""

import re
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, NotRequired

from pydantic import ConfigDict, FailFast, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails, from_json
from typing_extensions import TypedDict

from ML.bodies import check_size
from ML.errors import Invalid
from ML.schema import Schema, missing_column
from ML.table import check_rows
from ML.values import explained, type_of

PIECE = 100
"""Rows whose errors are told at once."""

_FIRST_ROW = re.compile(rb'"instances"\s*:\s*\[\s*(\S)')


@with_config(ConfigDict(strict=True, extra="forbid"))
class Parameters(TypedDict, total=False):
    """What to answer besides the predictions."""

    probabilities: bool


class Request(NamedTuple):
    """Converted rows, a sequence for each column, what the answer shall hold, and columns unknown to the model."""

    columns: Sequence[Sequence[Any]]
    rows: int
    probabilities: bool
    unused: list[str]


class Instances:
    """Parses the bodies for one schema. Built once for a version, because building the types costs milliseconds."""

    def __init__(self, schema: Schema, target: str) -> None:
        self.schema, self.target = schema, target
        kinds = {column.name: type_of(column) for column in schema.columns}
        first, *others = schema.names
        self._cells = itemgetter(first, *others) if others else lambda row: (row[first],)
        row: Any = with_config(ConfigDict(extra="allow"))(TypedDict("Row", kinds))  # type: ignore[operator]
        array: Any = tuple[tuple(kinds.values())]  # type: ignore[misc]
        self.objects, self.arrays = TypeAdapter(_body(row)), TypeAdapter(_body(array))
        self._rows = {False: TypeAdapter(list[row]), True: TypeAdapter(list[array])}

    def parse(self, body: bytes, most_rows: int) -> Request:
        """The rows of `{"instances": [...], "parameters": {"probabilities": bool}}`.

        Raises Invalid with the place of everything that is wrong, and TooLarge past so many rows.
        """
        check_size(body, most_rows, len(self.schema.columns))
        first_row = _FIRST_ROW.search(body)
        return self._converted(first_row is not None and first_row[1] == b"[", "validate_json", body, most_rows)

    def of_rows(self, rows: Any, most_rows: int) -> Request:
        """The same of rows that are Python values already, as another protocol's body has them."""
        as_arrays = isinstance(rows, list) and bool(rows) and isinstance(rows[0], list)
        return self._converted(as_arrays, "validate_python", {"instances": rows}, most_rows)

    def _converted(self, as_arrays: bool, validate: str, body: Any, most_rows: int) -> Request:
        try:
            found = getattr((self.arrays if as_arrays else self.objects).validator, validate)(body)
        except ValidationError as error:
            raise self._refused(error, body, as_arrays) from None
        rows = found["instances"]
        check_rows(len(rows), most_rows)
        columns = list(zip(*(rows if as_arrays else map(self._cells, rows)), strict=True))
        unused = [] if as_arrays else self._unused(rows)
        asked = found["parameters"].get("probabilities", False) if "parameters" in found else False
        return Request(columns, len(rows), asked, unused)

    def _refused(self, error: ValidationError, body: Any, as_arrays: bool) -> Invalid:
        """All that is wrong. The check stopped at the first bad row: a million at once would take gigabytes to tell."""
        found = error.errors(include_url=False, include_context=False)
        if len(found[0]["loc"]) < 2 or found[0]["loc"][0] != "instances":
            return Invalid(list(map(self._explained, found)))
        rows = (from_json(body) if isinstance(body, bytes) else body)["instances"]
        first: list[ErrorDetails] = []
        others = [e for e in found if e["loc"][0] != "instances"]
        count = len(others)
        for start in range(0, len(rows), PIECE):
            try:
                self._rows[as_arrays].validate_python(rows[start : start + PIECE])
            except ValidationError as wrong:
                count += wrong.error_count()
                first += _moved(wrong, start) if len(first) < Invalid.most else []
        told = [*first, *others] or found
        return Invalid([self._explained(e) for e in told[: Invalid.most]], count)

    def _unused(self, rows: list[dict[str, Any]]) -> list[str]:
        width = len(self.schema.columns)
        wide = [row for row in rows if len(row) > width]
        return self.schema.unused(dict.fromkeys(chain.from_iterable(wide)), self.target) if wide else []

    def _explained(self, error: ErrorDetails) -> dict[str, Any]:
        """A pydantic error as the person who sent the row would put it."""
        place, value = list(error["loc"]), error["input"]
        if len(place) == 3 and isinstance(place[2], int):
            place[2] = self.schema.names[place[2]]
        where = ".".join(map(str, place[:2])).replace("instances.", "instances[") + "]" * (
            len(place) > 1 and place[0] == "instances"
        )
        return {
            "loc": ["body", *place],
            "msg": f"{where}: " * bool(where) + self._message(error, place, value),
            "type": error["type"],
            "input": value,
        }

    def _message(self, error: ErrorDetails, place: list[int | str], value: Any) -> str:
        kind, names = error["type"], ", ".join(self.schema.names)
        column = next((c for c in self.schema.columns if len(place) == 3 and c.name == place[2]), None)
        if column and kind == "missing":
            sent = self.schema.unused(value, self.target) if isinstance(value, dict) else ()
            return missing_column(column.name, sent)
        if column:
            return explained(column, error)
        if kind == "too_short" and place == ["instances"]:
            return "there are no rows; send at least one"
        if kind == "missing":
            return 'the key is missing; send {"instances": [{column: value, ...}, ...]}'
        if kind == "extra_forbidden":
            return "is not known; the body holds instances and parameters, and the parameters probabilities"
        if len(place) == 2 and place[0] == "instances":
            return f"a row is an object, or an array of {len(self.schema.columns)} values in this order: {names}"
        return error["msg"]


def _moved(error: ValidationError, first: int) -> list[ErrorDetails]:
    """The errors of a piece, with their places in the whole."""
    found = error.errors(include_url=False, include_context=False)
    for one in found:
        one["loc"] = ("instances", first + int(one["loc"][0]), *one["loc"][1:])
    return found


def _body(row: Any) -> Any:
    @with_config(ConfigDict(extra="forbid"))
    class Body(TypedDict):
        instances: Annotated[list[row], Field(min_length=1, strict=True), FailFast()]
        parameters: NotRequired[Parameters]

    return Body
