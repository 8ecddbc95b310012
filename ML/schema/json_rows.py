"""Parse the JSON body of a prediction request: rows as objects or arrays, checked by types made from the schema."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, NotRequired

from pydantic import ConfigDict, FailFast, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails, from_json
from typing_extensions import TypedDict

from ML.errors import Invalid
from ML.schema import json_pieces
from ML.schema.json_columns import RowCollector
from ML.schema.json_errors import EXAMPLE, invalid
from ML.schema.json_pieces import Array, NotJson
from ML.schema.json_size import check_size
from ML.schema.json_values import type_of
from ML.schema.schema import Schema
from ML.tables.csv_table import check_rows

WHOLE = 2 * json_pieces.PIECE
"""Largest body that is parsed at once, in bytes."""
ROWS = 1000
"""How many rows of Python values are converted at once."""

PREFIX = 1000
"""How much of a body is searched for its first bracket, in bytes."""

_FIRST_ROW = re.compile(rb'"instances"\s*+:\s*+\[\s*+(\S)')


@with_config(ConfigDict(strict=True, extra="forbid"))
class Parameters(TypedDict, total=False):
    """What the answer contains besides the predictions."""

    probabilities: bool


class ParsedRows(NamedTuple):
    """Converted rows (a sequence per column), whether probabilities are requested, and columns unknown to the model."""

    columns: Sequence[Sequence[Any]]
    rows: int
    probabilities: bool
    unused: list[str]


class JsonRows:
    """Parses bodies for one schema. Built once per version, because building the types takes milliseconds."""

    def __init__(self, schema: Schema, target: str) -> None:
        self.schema, self.target = schema, target
        kinds = {column.name: type_of(column) for column in schema.columns}
        first, *others = schema.names
        self.cells = itemgetter(first, *others) if others else lambda row: (row[first],)
        row: Any = with_config(ConfigDict(extra="allow"))(TypedDict("Row", kinds))  # type: ignore[operator]
        array: Any = tuple[tuple(kinds.values())]  # type: ignore[misc]
        self.objects, self.arrays = TypeAdapter(_body(row)), TypeAdapter(_body(array))
        self.kinds = {False: TypeAdapter(list[row]), True: TypeAdapter(list[array])}
        """Types of a list of rows, by whether they are arrays. They find all errors, `fast` the first."""
        self.fast: dict[bool, TypeAdapter[Any]] = {
            False: TypeAdapter(Annotated[list[row], FailFast()]),
            True: TypeAdapter(Annotated[list[array], FailFast()]),
        }

    def parse(self, body: bytes, most_rows: int) -> ParsedRows:
        """Return the rows of `{"instances": [...], "parameters": {"probabilities": bool}}`.

        Raise Invalid with the place of every error, and TooLarge if there are more than `most_rows`.
        """
        if len(body) > WHOLE:
            if array := json_pieces.find(body):
                return self._in_pieces(array, most_rows)
            if body[:PREFIX].lstrip().startswith(b"["):
                raise Invalid.at(msg=f"the body must be an object, not a list; {EXAMPLE}", type="dict_type")
            check_size(body, most_rows, len(self.schema.columns))
        first_row = _FIRST_ROW.search(body)
        as_arrays = first_row is not None and first_row[1] == b"["
        validator = (self.arrays if as_arrays else self.objects).validator
        return self._converted(as_arrays, validator.validate_json, body, most_rows)

    def of_rows(self, rows: Any, most_rows: int) -> ParsedRows:
        """Return rows given as Python values, for protocols with another body. Raise Invalid and TooLarge."""
        as_arrays = isinstance(rows, list) and bool(rows) and isinstance(rows[0], list)
        if not isinstance(rows, list) or len(rows) <= ROWS:
            validator = (self.arrays if as_arrays else self.objects).validator
            return self._converted(as_arrays, validator.validate_python, {"instances": rows}, most_rows)
        check_rows(len(rows), most_rows)
        collector = RowCollector(self, as_arrays, most_rows)
        for start in range(0, len(rows), ROWS):
            collector.add(rows[start : start + ROWS])
        return self._gathered(collector, [], {})

    def _in_pieces(self, array: Array, most_rows: int) -> ParsedRows:
        collector = RowCollector(self, array.first == b"[", most_rows)
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
            array.read(collector.add_json)
            array.rest(parse_rest)
        except NotJson as error:
            raise Invalid.at(msg=str(error), type="json_invalid") from None
        return self._gathered(collector, others, rest)

    def _gathered(self, collector: RowCollector, others: list[ErrorDetails], rest: dict[str, Any]) -> ParsedRows:
        if collector.count or others:
            raise invalid(self.schema, self.target, [*collector.errors, *others], collector.count + len(others))
        columns = collector.columns
        return ParsedRows(columns.parts, columns.rows, _probabilities(rest), list(collector.unused))

    def _converted(self, as_arrays: bool, validate: Callable[[Any], Any], body: Any, most_rows: int) -> ParsedRows:
        try:
            parsed = validate(body)
        except ValidationError as error:
            raise self._refused(error, body, as_arrays) from None
        rows = parsed["instances"]
        check_rows(len(rows), most_rows)
        columns = list(zip(*(rows if as_arrays else map(self.cells, rows)), strict=True))
        unused = [] if as_arrays else self._unused(rows)
        return ParsedRows(columns, len(rows), _probabilities(parsed), unused)

    def _refused(self, error: ValidationError, body: Any, as_arrays: bool) -> Invalid:
        """Return all errors: the check stopped at the first bad row, so it runs again on every row."""
        errors = error.errors(include_url=False, include_context=False)
        if len(errors[0]["loc"]) < 2 or errors[0]["loc"][0] != "instances":
            return invalid(self.schema, self.target, errors, len(errors))
        rows = (from_json(body) if isinstance(body, bytes) else body)["instances"]
        collector = RowCollector(self, as_arrays, len(rows))
        collector.add(rows)
        others = [e for e in errors if e["loc"][0] != "instances"]
        all_errors = [*collector.errors, *others] or errors
        return invalid(self.schema, self.target, all_errors, collector.count + len(others))

    def _unused(self, rows: list[dict[str, Any]]) -> list[str]:
        width = len(self.schema.columns)
        wide = [row for row in rows if len(row) > width]
        return self.schema.unused(dict.fromkeys(chain.from_iterable(wide)), self.target) if wide else []


def _probabilities(body: dict[str, Any]) -> bool:
    return bool(body["parameters"].get("probabilities", False)) if "parameters" in body else False


def _body(row: Any) -> Any:
    @with_config(ConfigDict(extra="forbid"))
    class Body(TypedDict):
        instances: Annotated[list[row], Field(min_length=1, strict=True), FailFast()]
        parameters: NotRequired[Parameters]

    return Body


_REST = TypeAdapter(_body(Any))
"""The type of a body without its rows."""
