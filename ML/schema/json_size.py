"""What a JSON body would cost, told before it is parsed: `[[],[],` of some megabytes would become gigabytes."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import from_json

from ML.config.config import settings
from ML.errors import Invalid, TooLarge
from ML.tables.upload import LONGEST_ROW

SMALL = 64 * 1024
"""Bytes that can't become much."""
SLACK = 100
BLOCK = 64 * 1024
"""Bytes whose strings are left out at once."""
ARRAY, OBJECT, VALUE = 120, 250, 48
"""Bytes that Python takes for each, and a column of converted values beside it."""
TIMES = 4
"""The largest body times this is what the values of a body may take."""


def check_size(body: bytes, most_rows: int, width: int) -> None:
    """Raises TooLarge where there are more rows than allowed, or many more values than such rows of a table have.

    A row is an array or an object; other columns than the `width` of the model may be as many again.
    """
    if len(body) <= SMALL:
        return
    counts = _counts([body])
    if not _fits(counts, most_rows, width):
        # Brackets and commas in strings are text; to leave them out takes longer.
        counts = _counts(outside_strings(body))
    if not _fits(counts, most_rows, width):
        raise TooLarge(
            f"The body has more than {most_rows} rows, or more values than so many rows of {width} columns; "
            "send them in parts, or raise MAX_ROWS"
        )
    wide = not body.isascii() or b"\\u" in body
    if wide or _bytes(body, counts, wide) > TIMES * settings().max_body_bytes:
        counts = _counts(outside_strings(body))
        if _bytes(body, counts, wide) > TIMES * settings().max_body_bytes:
            raise TooLarge("The body has too many values for its size; send it in parts, or raise MAX_BODY_MB")


def _counts(parts: Iterable[bytes]) -> tuple[int, int, int]:
    """How many arrays, objects and commas there are."""
    arrays = objects = commas = 0
    for part in parts:
        arrays, objects, commas = arrays + part.count(b"["), objects + part.count(b"{"), commas + part.count(b",")
    return arrays, objects, commas


def outside_strings(body: bytes) -> Iterator[bytes]:
    """The body without its strings, in pieces and in linear time. Raises TooLarge for a very long string."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    inside, length = False, 0
    for start in range(0, len(body), BLOCK):
        parts = body[start : start + BLOCK].split(b'"')
        length = length + BLOCK if inside and len(parts) == 1 else 0
        if length > LONGEST_ROW:
            raise TooLarge(f"The body has a text of more than {LONGEST_ROW // 1024} kB, which is the most")
        yield b"".join(parts[inside::2])
        inside ^= len(parts) % 2 == 0


def _fits(counts: tuple[int, int, int], most_rows: int, width: int) -> bool:
    arrays, objects, commas = counts
    return arrays + objects <= most_rows + SLACK and commas <= most_rows * (2 * width + 1) + SLACK


def _bytes(body: bytes, counts: tuple[int, int, int], wide: bool) -> int:
    """What the values take in memory; `wide` where a text may have characters of four bytes."""
    arrays, objects, commas = counts
    return ARRAY * arrays + OBJECT * objects + VALUE * commas + len(body) * (3 if wide else 0)


def read(body: bytes, most_rows: int, width: int) -> Any:
    """The JSON value of a body, NaN and infinity included. Raises Invalid and TooLarge."""
    check_size(body, most_rows, width)
    try:
        return from_json(body)
    except ValueError as error:
        raise Invalid.at("body", msg=f"the body is not JSON: {error}", type="json_invalid") from None
