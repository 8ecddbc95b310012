"""The types that check and convert the JSON values of a column, and the messages for wrong values."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from ML.errors import Invalid
from ML.schema.schema import REMEDY, Column, Schema

_EXPECTED = {
    "float_type": "a number was learned here; send a JSON number",
    "finite_number": "the number is not finite; send null where it is missing",
    "string_type": "text was learned here; send a JSON string",
}

_FLAGS = {0: False, 1: True}


def type_of(column: Column) -> Any:
    """Return the type of a JSON value of this column. It also converts the value for the pipeline."""
    if column.kind == "number":
        kind: Any = Annotated[float, Field(strict=True, allow_inf_nan=False)]
    elif column.kind == "flag":
        words = column.words if column.words != ("0", "1") else (0, 1)
        kind = Annotated[Any, AfterValidator(_flag(column)), WithJsonSchema({"enum": [True, False, *words[::-1]]})]
    else:
        kind = Annotated[str, Field(strict=True), AfterValidator(_gapless(column))]
    return kind | None if column.gaps else kind


def explained(column: Column, error: ErrorDetails) -> str:
    """Return what is wrong with a value of this column, and the remedy."""
    if error["input"] is None:
        return f"{column.name} is missing, and the model can't do without it; {REMEDY}"
    return f"{column.name}: {_EXPECTED.get(error['type'], error['msg'].removeprefix('Value error, '))}"


class ColumnValidator:
    """Checks and converts whole columns of values for one schema.

    They come from tensors, where NaN also means a missing value, and 0 and 1 are a flag's false and true.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._types: list[TypeAdapter[Any]] = [TypeAdapter(_list(type_of(column))) for column in schema.columns]
        self.plain = all(column.kind == "number" for column in schema.columns)

    def convert(self, parts: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Return each column's values, converted for the pipeline. Raise Invalid, naming rows (from 1) and columns."""
        columns, errors = [], []
        for column, kind, part in zip(self.schema.columns, self._types, parts, strict=True):
            if column.kind == "number" and finite(part):
                columns.append(part)
                continue
            try:
                columns.append(kind.validate_python(_as_json(column, part)))
            except ValidationError as error:
                errors += [_placed(column, each) for each in error.errors(include_url=False, include_context=False)]
        if errors:
            raise Invalid(sorted(errors, key=lambda error: error["loc"][0])[: Invalid.most], len(errors))
        return columns

    def matrix(self, values: Sequence[Any]) -> list[Sequence[Any]]:
        """Return the converted columns of values that are given row by row. Raise Invalid."""
        width = len(self.schema.columns)
        if self.plain and finite(values):
            return [values[first::width] for first in range(width)]
        return self.convert([values[first::width] for first in range(width)])


def _list(kind: Any) -> Any:
    return list[kind]


def _as_json(column: Column, part: Sequence[Any]) -> list[Any]:
    if column.kind == "flag":
        part = [_FLAGS.get(value, value) for value in part]
    return [None if value != value else value for value in part]


def finite(values: Sequence[Any]) -> bool:
    """Return whether all values are finite floats. If only their sum overflows, a slower check decides."""
    return set(map(type, values)) == {float} and math.isfinite(sum(values))


def _placed(column: Column, error: ErrorDetails) -> dict[str, Any]:
    row = int(error["loc"][0]) + 1
    message = f"row {row}, {explained(column, error)}"
    return {"loc": [row, column.name], "msg": message, "type": error["type"], "input": error["input"]}


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
