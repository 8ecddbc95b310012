"""Estimate the memory of a JSON body before parsing it: a few megabytes of `[[],[],` would take gigabytes."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import from_json

from ML.config.config import settings
from ML.errors import Invalid, TooLarge
from ML.tables.upload import LONGEST_ROW

SMALL = 64 * 1024
"""Bodies up to this size are not checked, in bytes."""
SLACK = 100
"""How many more brackets and commas than those of the rows are allowed."""
BLOCK = 64 * 1024
"""How many bytes are stripped of their strings at once."""
ARRAY, OBJECT, VALUE = 120, 250, 48
"""Memory of each as a Python value and of its converted column, in bytes."""
TIMES = 4
"""The values of a body may take this many times the largest allowed body."""


def check_size(body: bytes, most_rows: int, width: int) -> None:
    """Raise TooLarge if there are more than `most_rows` rows, or many more values than such rows have.

    A row is an array or an object. It may have as many unknown columns as the model has: `width`.
    """
    if len(body) <= SMALL:
        return
    counts = _counts([body])
    if not _fits(counts, most_rows, width):
        # Brackets and commas in strings do not count, but leaving strings out takes longer.
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
    """Return the number of arrays, objects and commas."""
    arrays = objects = commas = 0
    for part in parts:
        arrays, objects, commas = arrays + part.count(b"["), objects + part.count(b"{"), commas + part.count(b",")
    return arrays, objects, commas


def outside_strings(body: bytes) -> Iterator[bytes]:
    """Yield the body without its strings, in linear time. Raise TooLarge for a very long string."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    inside, length = False, 0
    for start in range(0, len(body), BLOCK):
        parts = body[start : start + BLOCK].split(b'"')
        length = length + BLOCK if inside and len(parts) == 1 else 0
        if length > LONGEST_ROW:
            raise TooLarge(f"The body has a text of more than {LONGEST_ROW // 1024} kB, the maximum")
        yield b"".join(parts[inside::2])
        inside ^= len(parts) % 2 == 0


def _fits(counts: tuple[int, int, int], most_rows: int, width: int) -> bool:
    arrays, objects, commas = counts
    return arrays + objects <= most_rows + SLACK and commas <= most_rows * (2 * width + 1) + SLACK


def _bytes(body: bytes, counts: tuple[int, int, int], wide: bool) -> int:
    """Return the memory of the values in bytes. `wide` says that a text may have characters of four bytes."""
    arrays, objects, commas = counts
    return ARRAY * arrays + OBJECT * objects + VALUE * commas + len(body) * (3 if wide else 0)


def read(body: bytes, most_rows: int, width: int) -> Any:
    """Return the JSON value of a body; NaN and infinity are allowed. Raise Invalid and TooLarge."""
    check_size(body, most_rows, width)
    try:
        return from_json(body)
    except ValueError as error:
        raise Invalid.at(msg=f"the body is not JSON: {error}", type="json_invalid") from None
