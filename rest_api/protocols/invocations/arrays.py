"""NumPy's format for arrays, application/x-npy, the default of SageMaker's SDK. Nothing is ever unpickled.

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
LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
"""Size of the field with the header's length, by version of the format."""
MAX_HEADER_BYTES = 10_000
"""Maximum size of a header, as in NumPy, because it is parsed as Python."""
PLAIN = re.compile(r"[<>|=]?(?:[?biuf]\d{0,2}|[US]\d{1,9})")
"""Dtypes of flags, numbers and texts. Objects would be pickled; a row has no dates or records."""
CHARACTER_BYTES = 4
"""Size of a character in a NumPy array."""
MAX_CODE_POINT = 0x10FFFF


class Header(NamedTuple):
    """The header of an array, and its size in bytes including all before it."""

    dtype: "np.dtype[Any]"
    columns_first: bool
    shape: tuple[int, ...]
    size: int


def values(body: bytes, width: int, most_rows: int) -> tuple[list[Any], int]:
    """Return the elements of an array, row after row, and the rows. Raise Invalid and TooLarge before allocating.

    A one-dimensional array is a row or, if the model has one column, that column.
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


def packed(predictions: Sequence[Any], most_bytes: int) -> bytes:
    """Return predictions as an array of numbers, flags or texts. Raise TooLarge if texts would need too much memory."""
    array = np.asarray(predictions) if _numeric(predictions) else None
    if array is None or array.dtype.hasobject:
        texts = ["" if label is None else str(label) for label in predictions]
        longest = max(map(len, texts))
        if CHARACTER_BYTES * longest * len(texts) > most_bytes:
            raise TooLarge(
                f"As an array, {len(texts)} labels of up to {longest} letters take too much; Accept text/csv"
            )
        array = np.asarray(texts)
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _numeric(predictions: Sequence[Any]) -> bool:
    """Return whether all are flags, or all numbers. The size of texts must be checked first."""
    kinds = set(map(type, predictions))
    return kinds == {bool} or kinds <= {int, float}


def _header(body: bytes) -> Header:
    if body[:6] != MAGIC or len(body) < 8 or body[6] not in LENGTH_BYTES:
        raise _wrong("the body does not begin as a .npy file does; send numpy.save's output, of an array of numbers")
    start = 8 + LENGTH_BYTES[body[6]]
    size = int.from_bytes(body[8:start], "little")
    if len(body) < start + size or size > MAX_HEADER_BYTES:
        raise _wrong(f"its header is said to have {size} bytes")
    try:
        header = ast.literal_eval(body[start : start + size].decode("utf-8" if body[6] == 3 else "latin-1").strip())
        descr, columns_first, shape = (header[key] for key in ("descr", "fortran_order", "shape"))
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
    """Return the elements as Python values: all floats as doubles, and bytes as texts."""
    if array.dtype.kind == "f":
        return list(array.astype(np.float64).tolist())
    if array.dtype.kind == "U":
        code_points = array.view(array.dtype.str[0] + "u4")
        if ((code_points > MAX_CODE_POINT) | ((code_points >= 0xD800) & (code_points < 0xE000))).any():
            raise _wrong("its texts have letters that Unicode has not")  # NumPy raises SystemError for some of them
    try:
        return [each.decode() for each in array.tolist()] if array.dtype.kind == "S" else list(array.tolist())
    except UnicodeDecodeError as error:
        raise _wrong(f"its texts are not UTF-8: {error}") from None


def _wrong(message: str) -> Invalid:
    return Invalid.at(msg=f"application/x-npy: {message}", type="array_invalid")
