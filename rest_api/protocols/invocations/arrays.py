"""NumPy's format, as SageMaker's SDK sends and takes arrays by default: application/x-npy. Nothing is ever unpickled.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ML.errors import Invalid, TooLarge
from ML.tables.csv_table import check_rows

MAGIC = b"\x93NUMPY"
SIZES = {1: 2, 2: 4, 3: 4}
"""Bytes of the header's length, by version of the format."""
MOST_HEADER = 10_000
"""Bytes of a header, as in NumPy: it is parsed as Python."""
PLAIN = re.compile(r"[<>|=]?(?:[?biuf]\d{0,2}|[US]\d{1,9})")
"""Flags, numbers and texts. Objects would be pickled; dates and records are no values of a row."""
LETTER = 4
"""Bytes of a letter in NumPy."""
LAST_LETTER = 0x10FFFF


class Header(NamedTuple):
    """What stands before the data."""

    dtype: "np.dtype[Any]"
    columns_first: bool
    shape: tuple[int, ...]
    size: int


def values(body: bytes, width: int, most_rows: int) -> tuple[list[Any], int]:
    """Return the elements of an array, row after row, and the rows. Raises Invalid and TooLarge, before it allocates.

    An array of one dimension is a row, or where the model has one column, that column.
    """
    header = _header(body)
    rows = _rows(header.shape, width, most_rows)
    count, size = rows * width, len(body) - header.size
    if size != count * header.dtype.itemsize:
        wanted = count * header.dtype.itemsize
        raise _wrong(f"the shape {header.shape} of {header.dtype.str} has {wanted} bytes, and the data {size}")
    if not header.dtype.itemsize:
        raise _wrong("its texts have no letters; send JSON")
    array = np.frombuffer(body, header.dtype, offset=header.size)
    if header.columns_first:
        array = array.reshape((width, rows)).T.reshape(-1)
    return _plain(array), rows


def packed(found: Sequence[Any], most: int) -> bytes:
    """Return predictions as an array: numbers, flags, or texts. Raises TooLarge for texts that would take too much."""
    array = np.asarray(found) if _alike(found) else None
    if array is None or array.dtype.hasobject:
        texts = ["" if label is None else str(label) for label in found]
        longest = max(map(len, texts))
        if LETTER * longest * len(texts) > most:
            raise TooLarge(
                f"As an array, {len(texts)} labels of up to {longest} letters take too much; Accept text/csv"
            )
        array = np.asarray(texts)
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _alike(found: Sequence[Any]) -> bool:
    """Whether all are flags, or all numbers: texts are measured first."""
    kinds = set(map(type, found))
    return kinds == {bool} or kinds <= {int, float}


def _header(body: bytes) -> Header:
    if body[:6] != MAGIC or len(body) < 8 or body[6] not in SIZES:
        raise _wrong("the body does not begin as a .npy file does; send numpy.save's output, of an array of numbers")
    start = 8 + SIZES[body[6]]
    size = int.from_bytes(body[8:start], "little")
    if len(body) < start + size or size > MOST_HEADER:
        raise _wrong(f"its header is said to have {size} bytes")
    try:
        found = ast.literal_eval(body[start : start + size].decode("utf-8" if body[6] == 3 else "latin-1").strip())
        descr, columns_first, shape = (found[key] for key in ("descr", "fortran_order", "shape"))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise _wrong("its header is not that of an array") from None
    if not isinstance(descr, str) or not PLAIN.fullmatch(descr):
        raise _wrong(f"arrays of {str(descr)[:40]} are not read, objects least of all; send numbers, flags or texts")
    if not isinstance(shape, tuple) or not all(type(part) is int and part >= 0 for part in shape):
        raise _wrong("its header is not that of an array")
    try:
        return Header(np.dtype(descr), columns_first is True, shape, start + size)
    except (TypeError, ValueError):
        raise _wrong(f"arrays of {descr} are not read; send numbers, flags or texts") from None


def _rows(shape: tuple[int, ...], width: int, most_rows: int) -> int:
    if len(shape) == 1:
        shape = (1, shape[0]) if width > 1 else (shape[0], 1)
    if len(shape) != 2 or shape[1] != width:
        raise _wrong(f"the shape is {shape[:8]}, and the model takes (rows, {width})")
    if not shape[0]:
        raise _wrong("there are no rows; send at least one")
    check_rows(shape[0], most_rows)
    return shape[0]


def _plain(array: "np.ndarray[Any, Any]") -> list[Any]:
    """Elements as Python's own: half and long floats become doubles, and bytes texts."""
    if array.dtype.kind == "f":
        return list(array.astype(np.float64).tolist())
    if array.dtype.kind == "U":
        letters = array.view(array.dtype.str[0] + "u4")
        if ((letters > LAST_LETTER) | ((letters >= 0xD800) & (letters < 0xE000))).any():
            raise _wrong("its texts have letters that Unicode has not")  # NumPy raises SystemError for some of them
    try:
        return [each.decode() for each in array.tolist()] if array.dtype.kind == "S" else list(array.tolist())
    except UnicodeDecodeError as error:
        raise _wrong(f"its texts are not UTF-8: {error}") from None


def _wrong(message: str) -> Invalid:
    return Invalid.at("body", msg=f"application/x-npy: {message}", type="array_invalid")
