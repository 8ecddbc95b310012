"""The JSON body of a prediction request: rows as objects or arrays, checked by a type made from the learned schema."""

import re
from collections.abc import Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, NotRequired

from pydantic import ConfigDict, FailFast, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails, from_json
from typing_extensions import TypedDict

from ML.errors import Invalid
from ML.schema import json_pieces
from ML.schema.json_columns import Gathering
from ML.schema.json_pieces import Array, NotJson
from ML.schema.json_size import check_size
from ML.schema.json_values import explained, type_of
from ML.schema.schema import Schema
from ML.tables.csv_table import check_rows
from ML.tables.names import Spelling, listed

WHOLE = 2 * json_pieces.PIECE
"""Bytes of a body that is parsed at once."""
ROWS = 1000
"""Rows of Python values that are converted at once."""

_FIRST_ROW = re.compile(rb'"instances"\s*+:\s*+\[\s*+(\S)')
SENT = 1000
"""Keys of a row among which a missing one is looked for."""
_KINDS = {
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_SEND = 'send {"instances": [{column: value, ...}, ...]}'


@with_config(ConfigDict(strict=True, extra="forbid"))
class Parameters(TypedDict, total=False):
    """What to answer besides the predictions."""

    probabilities: bool


class ParsedRows(NamedTuple):
    """Converted rows, a sequence for each column, what the answer shall hold, and columns unknown to the model."""

    columns: Sequence[Sequence[Any]]
    rows: int
    probabilities: bool
    unused: list[str]


class JsonRows:
    """Parses the bodies for one schema. Built once for a version, because building the types costs milliseconds."""

    def __init__(self, schema: Schema, target: str) -> None:
        self.schema, self.target = schema, target
        kinds = {column.name: type_of(column) for column in schema.columns}
        first, *others = schema.names
        self.cells = itemgetter(first, *others) if others else lambda row: (row[first],)
        row: Any = with_config(ConfigDict(extra="allow"))(TypedDict("Row", kinds))  # type: ignore[operator]
        array: Any = tuple[tuple(kinds.values())]  # type: ignore[misc]
        self.objects, self.arrays = TypeAdapter(_body(row)), TypeAdapter(_body(array))
        self.kinds = {False: TypeAdapter(list[row]), True: TypeAdapter(list[array])}
        """The types of rows, by whether they are arrays; the other finds only the first that is wrong."""
        self.fast: dict[bool, TypeAdapter[Any]] = {
            False: TypeAdapter(Annotated[list[row], FailFast()]),
            True: TypeAdapter(Annotated[list[array], FailFast()]),
        }

    def parse(self, body: bytes, most_rows: int) -> ParsedRows:
        """The rows of `{"instances": [...], "parameters": {"probabilities": bool}}`.

        Raises Invalid with the place of everything that is wrong, and TooLarge past so many rows.
        """
        if len(body) > WHOLE:
            if array := json_pieces.find(body):
                return self._in_pieces(array, most_rows)
            if body[:SENT].lstrip().startswith(b"["):
                raise Invalid.at("body", msg=f"the body must be an object, not a list; {_SEND}", type="dict_type")
            check_size(body, most_rows, len(self.schema.columns))
        first_row = _FIRST_ROW.search(body)
        return self._converted(first_row is not None and first_row[1] == b"[", "validate_json", body, most_rows)

    def of_rows(self, rows: Any, most_rows: int) -> ParsedRows:
        """The same of rows that are Python values already, as another protocol's body has them."""
        as_arrays = isinstance(rows, list) and bool(rows) and isinstance(rows[0], list)
        if not isinstance(rows, list) or len(rows) <= ROWS:
            return self._converted(as_arrays, "validate_python", {"instances": rows}, most_rows)
        check_rows(len(rows), most_rows)
        gathering = Gathering(self, as_arrays, most_rows)
        for start in range(0, len(rows), ROWS):
            gathering.add(rows[start : start + ROWS])
        return self._gathered(gathering, [], {})

    def _in_pieces(self, array: Array, most_rows: int) -> ParsedRows:
        gathering = Gathering(self, array.first == b"[", most_rows)
        others: list[ErrorDetails] = []
        rest: dict[str, Any] = {}

        def parse_rest(body: bytes) -> None:
            try:
                rest.update(_REST.validate_json(body))
            except ValidationError as error:
                others.extend(error.errors(include_url=False, include_context=False))
                if others[0]["type"] == "json_invalid":
                    raise NotJson(others[0]["msg"], body) from None

        try:
            array.read(gathering.add_json)
            array.rest(parse_rest)
        except NotJson as error:
            raise Invalid.at("body", msg=str(error), type="json_invalid") from None
        return self._gathered(gathering, others, rest)

    def _gathered(self, gathering: Gathering, others: list[ErrorDetails], rest: dict[str, Any]) -> ParsedRows:
        if gathering.count or others:
            raise self._invalid([*gathering.errors, *others], gathering.count + len(others))
        columns = gathering.columns
        return ParsedRows(columns.parts, columns.rows, _probabilities(rest), list(gathering.unused))

    def _converted(self, as_arrays: bool, validate: str, body: Any, most_rows: int) -> ParsedRows:
        try:
            found = getattr((self.arrays if as_arrays else self.objects).validator, validate)(body)
        except ValidationError as error:
            raise self._refused(error, body, as_arrays) from None
        rows = found["instances"]
        check_rows(len(rows), most_rows)
        columns = list(zip(*(rows if as_arrays else map(self.cells, rows)), strict=True))
        unused = [] if as_arrays else self._unused(rows)
        return ParsedRows(columns, len(rows), _probabilities(found), unused)

    def _refused(self, error: ValidationError, body: Any, as_arrays: bool) -> Invalid:
        """All that is wrong. The check stopped at the first bad row."""
        found = error.errors(include_url=False, include_context=False)
        if len(found[0]["loc"]) < 2 or found[0]["loc"][0] != "instances":
            return self._invalid(found, len(found))
        rows = (from_json(body) if isinstance(body, bytes) else body)["instances"]
        gathering = Gathering(self, as_arrays, len(rows))
        gathering.add(rows)
        others = [e for e in found if e["loc"][0] != "instances"]
        return self._invalid([*gathering.errors, *others] or found, gathering.count + len(others))

    def _invalid(self, errors: list[ErrorDetails], count: int) -> Invalid:
        spelling = Spelling()
        return Invalid([self._explained(error, spelling) for error in errors[: Invalid.most]], count)

    def _unused(self, rows: list[dict[str, Any]]) -> list[str]:
        width = len(self.schema.columns)
        wide = [row for row in rows if len(row) > width]
        return self.schema.unused(dict.fromkeys(chain.from_iterable(wide)), self.target) if wide else []

    def _explained(self, error: ErrorDetails, spelling: Spelling) -> dict[str, Any]:
        """A pydantic error as the person who sent the row would put it."""
        place, value = list(error["loc"]), error["input"]
        if len(place) == 3 and isinstance(place[2], int):
            place[2] = self.schema.names[place[2]]
        where = ".".join(map(str, place[:2])).replace("instances.", "instances[") + "]" * (
            len(place) > 1 and place[0] == "instances"
        )
        return {
            "loc": ["body", *place],
            "msg": f"{where}: " * bool(where) + self._message(error, place, value, spelling),
            "type": error["type"],
            "input": value,
        }

    def _message(self, error: ErrorDetails, place: list[int | str], value: Any, spelling: Spelling) -> str:
        kind = error["type"]
        column = next((c for c in self.schema.columns if len(place) == 3 and c.name == place[2]), None)
        if column and kind == "missing":
            sent = self.schema.unused(islice(value, SENT), self.target) if isinstance(value, dict) else ()
            return spelling.missing(column.name, sent)
        if column:
            return explained(column, error)
        if kind == "too_short" and place == ["instances"]:
            return "there are no rows; send at least one"
        if kind == "missing":
            return f"the key is missing; {_SEND}"
        if kind == "extra_forbidden":
            return "is not known; the body holds instances and parameters, and the parameters probabilities"
        if len(place) == 2 and place[0] == "instances":
            width, order = len(self.schema.columns), listed(self.schema.names)
            return f"a row is an object, or an array of {width} values in this order: {order}"
        if not place and kind != "json_invalid":
            return f"the body must be an object, not {_KINDS.get(type(value), 'this')}; {_SEND}"
        return error["msg"]


def _probabilities(found: dict[str, Any]) -> bool:
    return bool(found["parameters"].get("probabilities", False)) if "parameters" in found else False


def _body(row: Any) -> Any:
    @with_config(ConfigDict(extra="forbid"))
    class Body(TypedDict):
        instances: Annotated[list[row], Field(min_length=1, strict=True), FailFast()]
        parameters: NotRequired[Parameters]

    return Body


_REST = TypeAdapter(_body(Any))
"""The body around the rows."""
