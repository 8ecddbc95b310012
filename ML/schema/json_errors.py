"""Explain to a client what is wrong with its JSON rows."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from pydantic_core import ErrorDetails

from ML.errors import Invalid
from ML.schema.json_values import explained
from ML.schema.schema import Schema
from ML.tables.names import Spelling, listed

EXAMPLE = 'send {"instances": [{column: value, ...}, ...]}'
MOST_KEYS = 1000
"""Keys of a row that are compared with a missing one."""
_KINDS = {
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def invalid(schema: Schema, target: str, errors: Sequence[ErrorDetails], count: int) -> Invalid:
    """Return the exception for pydantic's errors, of which there are `count` in all."""
    spelling = Spelling()
    return Invalid([_explained(schema, target, error, spelling) for error in errors[: Invalid.most]], count)


def _explained(schema: Schema, target: str, error: ErrorDetails, spelling: Spelling) -> dict[str, Any]:
    place = list(error["loc"])
    if len(place) == 3 and isinstance(place[2], int):
        place[2] = schema.names[place[2]]
    shown = _shown(place)
    message = _message(schema, target, error, place, spelling)
    return {
        "loc": place,
        "msg": f"{shown}: {message}" if shown else message,
        "type": error["type"],
        "input": error["input"],
    }


def _shown(place: list[int | str]) -> str:
    """Return a place as a message shows it, such as `instances[3]`. The message itself names the column."""
    if len(place) > 1 and place[0] == "instances":
        return f"instances[{place[1]}]"
    return ".".join(map(str, place[:2]))


def _message(schema: Schema, target: str, error: ErrorDetails, place: list[int | str], spelling: Spelling) -> str:
    kind, value = error["type"], error["input"]
    column = next((c for c in schema.columns if len(place) == 3 and c.name == place[2]), None)
    if column and kind == "missing":
        keys = schema.unused(islice(value, MOST_KEYS), target) if isinstance(value, dict) else ()
        return spelling.missing(column.name, keys)
    if column:
        return explained(column, error)
    if kind == "too_short" and place == ["instances"]:
        return "there are no rows; send at least one"
    if kind == "missing":
        return f"the key is missing; {EXAMPLE}"
    if kind == "extra_forbidden":
        return "is not known; the body holds instances and parameters, and the parameters probabilities"
    if len(place) == 2 and place[0] == "instances":
        width, order = len(schema.columns), listed(schema.names)
        return f"a row is an object, or an array of {width} values in this order: {order}"
    if not place and kind != "json_invalid":
        return f"the body must be an object, not {_KINDS.get(type(value), 'this')}; {EXAMPLE}"
    return error["msg"]
