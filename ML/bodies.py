"""What a JSON body would cost, told before it is parsed: `[[],[],` of some megabytes would become gigabytes."""

import re
from typing import Any

from pydantic_core import from_json

from ML.errors import Invalid, TooLarge

SMALL = 64 * 1024
"""Bytes that can't become much."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
SLACK = 100


def check_size(body: bytes, most_rows: int, width: int) -> None:
    """Raises TooLarge where there are more rows than allowed, or many more values than such rows of a table have.

    A row is an array or an object; other columns than the `width` of the model may be as many again.
    """
    if len(body) <= SMALL or _fits(body, most_rows, width):
        return
    # Brackets and commas in strings are text; to leave them out takes longer, and memory for each string.
    strings = body.count(b'"') // 2
    if strings > 2 * _values(most_rows, width) or not _fits(_STRING.sub(b"", body), most_rows, width):
        raise TooLarge(
            f"The body has more than {most_rows} rows, or more values than so many rows of {width} columns; "
            "send them in parts, or raise MAX_ROWS"
        )


def _fits(body: bytes, most_rows: int, width: int) -> bool:
    rows = body.count(b"[") + body.count(b"{")
    return rows <= most_rows + SLACK and body.count(b",") <= _values(most_rows, width)


def _values(most_rows: int, width: int) -> int:
    return most_rows * (2 * width + 1) + SLACK


def read(body: bytes, most_rows: int, width: int) -> Any:
    """The JSON value of a body, NaN and infinity included. Raises Invalid and TooLarge."""
    check_size(body, most_rows, width)
    try:
        return from_json(body)
    except ValueError as error:
        raise Invalid.at("body", msg=f"the body is not JSON: {error}", type="json_invalid") from None
