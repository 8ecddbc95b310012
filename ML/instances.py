"""The JSON body of a prediction request: rows as objects or arrays, checked by a type made from the learned schema."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, NotRequired, cast

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    with_config,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from ML.errors import Invalid
from ML.schema import REMEDY, Column, Schema, missing_column
from ML.table import check_rows

_FIRST_ROW = re.compile(rb'"instances"\s*:\s*\[\s*(\S)')
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_OPENING = re.compile(rb'(?:[^"\[{]++|%s)*+[\[{]' % _STRING, re.DOTALL)
_COMMA = re.compile(rb'(?:[^",]++|%s)*+,' % _STRING, re.DOTALL)


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
        kinds = {column.name: _type(column) for column in schema.columns}
        first, *others = schema.names
        self._cells = itemgetter(first, *others) if others else lambda row: (row[first],)
        row = TypedDict("Row", kinds)  # type: ignore[misc]
        self._rows = with_config(ConfigDict(extra="allow"))(row), tuple[tuple(kinds.values())]  # type: ignore[misc]
        self.objects, self.arrays = (TypeAdapter(_body(kind)) for kind in self._rows)

    def parse(self, body: bytes, most_rows: int) -> Request:
        """The rows of `{"instances": [...], "parameters": {"probabilities": bool}}`.

        Raises Invalid with the place of everything that is wrong, and TooLarge past so many rows.
        """
        first_row = _FIRST_ROW.search(body)
        as_arrays = first_row is not None and first_row[1] == b"["
        _check_size(body, first_row[1] if first_row else b"", most_rows)
        try:
            found = (self.arrays if as_arrays else self.objects).validate_json(body)
        except ValidationError as error:
            raise self._invalid(body, as_arrays, error) from None
        rows = found["instances"]
        check_rows(len(rows), most_rows)
        columns = list(zip(*(rows if as_arrays else map(self._cells, rows)), strict=True))
        unused = [] if as_arrays else self._unused(rows)
        asked = found["parameters"].get("probabilities", False) if "parameters" in found else False
        return Request(columns, len(rows), asked, unused)

    def _unused(self, rows: list[dict[str, Any]]) -> list[str]:
        width = len(self.schema.columns)
        wide = [row for row in rows if len(row) > width]
        return self.schema.unused(dict.fromkeys(chain.from_iterable(wide)), self.target) if wide else []

    def _invalid(self, body: bytes, as_arrays: bool, error: ValidationError) -> Invalid:
        """The first errors of all rows: the types stop at the first row that is wrong."""
        found = error.errors(include_url=False, include_context=False)
        row = next((e["loc"][1] for e in found if len(e["loc"]) > 1 and isinstance(e["loc"][1], int)), None)
        if row is None:
            return Invalid([self._explained(e) for e in found])
        wrong = Wrong(int(row))
        try:
            TypeAdapter(_body(Annotated[self._rows[as_arrays], WrapValidator(_noted)])).validate_json(
                body, context=wrong
            )
        except ValidationError as others:  # than rows, but for the end of the search
            found = [e for e in others.errors(include_url=False, include_context=False) if e["type"] != ENOUGH]
            wrong.errors, wrong.count = wrong.errors + found, wrong.count + len(found)
        return Invalid([self._explained(e) for e in wrong.errors[: Invalid.most]], wrong.count, wrong.whole)

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
        if column and value is None:
            return f"{column.name} is missing, and the model can't do without it; {REMEDY}"
        if column:
            return f"{column.name}: {_EXPECTED.get(kind, error['msg'].removeprefix('Value error, '))}"
        if kind == "too_short" and place == ["instances"]:
            return "there are no rows; send at least one"
        if kind == "missing":
            return 'the key is missing; send {"instances": [{column: value, ...}, ...]}'
        if kind == "extra_forbidden":
            return "is not known; the body holds instances and parameters, and the parameters probabilities"
        if len(place) == 2 and place[0] == "instances":
            return f"a row is an object, or an array of {len(self.schema.columns)} values in this order: {names}"
        return error["msg"]


_EXPECTED = {
    "float_type": "a number was learned here; send a JSON number",
    "finite_number": "the number is not finite; send null where it is missing",
    "string_type": "text was learned here; send a JSON string",
}


class Wrong:
    """What is wrong with rows, from one on. The first errors are kept, others counted, until they are enough."""

    def __init__(self, first: int) -> None:
        self.first, self.row = first, -1
        self.errors: list[ErrorDetails] = []
        self.count = 0
        self.whole = True

    def note(self, row: int, error: ValidationError) -> None:
        """Takes the errors of a row."""
        self.count += error.error_count()
        if len(self.errors) < Invalid.most:
            for each in error.errors(include_url=False, include_context=False):
                self.errors.append({**each, "loc": ("instances", row, *each["loc"])})


ENOUGH = "enough"


def _noted(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """A row, whose errors are noted, so that the next one is looked at too."""
    wrong = cast(Wrong, info.context)
    wrong.row += 1
    if wrong.row >= wrong.first:
        try:
            check(value)
        except ValidationError as error:
            wrong.note(wrong.row, error)
            if wrong.count >= Invalid.counted:
                wrong.whole = False
                raise PydanticCustomError(ENOUGH, "enough") from None
    return None


def _check_size(body: bytes, first: bytes, most_rows: int) -> None:
    """Raises TooLarge before anything is built, where there are more arrays or objects than rows may be.

    One in a cell counts too; no column takes such a value. Where the rows are neither, which is wrong, commas count.
    """
    most = most_rows + 3  # the body, its rows and the parameters
    if len(body) <= most:
        return
    scalars = first not in (b"[", b"{")
    if (body.count(b",") if scalars else body.count(b"[") + body.count(b"{")) <= most:
        return
    # Now those outside of strings.
    sign, count, place = _COMMA if scalars else _OPENING, 0, 0
    while count <= most and (found := sign.match(body, place)):
        count, place = count + 1, found.end()
    check_rows(count - 3, most_rows)


def _body(row: Any) -> Any:
    @with_config(ConfigDict(extra="forbid"))
    class Body(TypedDict):
        instances: Annotated[list[row], Field(min_length=1, strict=True, fail_fast=True)]
        parameters: NotRequired[Parameters]

    return Body


def _type(column: Column) -> Any:
    """The type that a JSON value of this column has, with its conversion to what the pipeline sees."""
    if column.kind == "number":
        kind: Any = Annotated[float, Field(strict=True, allow_inf_nan=False)]
    elif column.kind == "flag":
        words = column.words if column.words != ("0", "1") else (0, 1)
        kind = Annotated[Any, AfterValidator(_flag(column)), WithJsonSchema({"enum": [True, False, *words[::-1]]})]
    else:
        kind = Annotated[str, Field(strict=True), AfterValidator(_gapless(column))]
    return kind | None if column.gaps else kind


def _gapless(column: Column) -> Callable[[str], Any]:
    convert = column.convert

    def check(text: str) -> Any:
        value = convert(text)
        if value != value and not column.gaps:
            raise ValueError(f"it is empty, and the model can't do without it; {REMEDY}")
        return value

    return check


def _flag(column: Column) -> Callable[[Any], float]:
    from_text = _gapless(column)

    def check(value: Any) -> float:
        if isinstance(value, str):
            return float(from_text(value))
        if isinstance(value, bool) or (value in (0, 1) and column.words == ("0", "1")):
            return float(value)
        raise ValueError(f"a flag was learned here; send true or false, or {' or '.join(column.words)}")

    return check
