"""Tensors of the Open Inference Protocol: JSON or little-endian bytes to flat Python values, and back.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and, for the bytes,
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import struct
from base64 import b64decode
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ML.errors import Invalid, TooLarge

Datatype = Literal["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                   "FP16", "BF16", "FP32", "FP64", "BYTES"]  # fmt: skip

# NumPy's dtype of one element. NumPy has no BF16, which is the upper half of an FP32.
LAYOUT = {"BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1",
          "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "BF16": "<u2", "FP32": "<f4",
          "FP64": "<f8"}  # fmt: skip

_LENGTH = struct.Struct("<I")


@with_config(ConfigDict(strict=True))
class Tensor(TypedDict):
    """An input. Its data is here, or behind the JSON if `parameters.binary_data_size` is set."""

    name: str
    shape: list[Annotated[int, Field(ge=0, lt=2**63)]]
    datatype: Datatype
    parameters: NotRequired[dict[str, Any] | None]
    data: NotRequired[list[Any] | None]


def wrong(tensor: str, message: str, value: Any = None) -> Invalid:
    """Return an Invalid that names the tensor and the problem."""
    return Invalid.at("body", "inputs", tensor, msg=f"{tensor}: {message}", type="tensor_invalid", input=value)


def dimensions(tensor: Tensor, most_rows: int) -> tuple[int, int]:
    """Return the numbers of rows and columns. Raise TooLarge, and Invalid unless there are 1 or 2 dimensions."""
    shape = tensor["shape"]
    if len(shape) not in (1, 2):
        raise wrong(tensor["name"], f"the shape {shape[:8]} is neither [rows] nor [rows, columns]", shape)
    rows, width = shape if len(shape) == 2 else (shape[0], 1)
    if not rows:
        raise wrong(tensor["name"], "there are no rows; send at least one", shape)
    if rows > most_rows:
        raise TooLarge(f"More than {most_rows} rows in one request; send them in parts, or raise MAX_ROWS")
    return rows, width


def values(tensor: Tensor, rows: int, width: int, raw: memoryview | None) -> list[Any]:
    """Return the elements, row by row: floats, ints, bools or strings; NaN or None if missing. Raise Invalid."""
    flat = _of_bytes(tensor, rows * width, raw) if raw is not None else _of_json(tensor, rows, width)
    is_base64 = (tensor.get("parameters") or {}).get("content_type") == "base64"
    return _from_base64(tensor, flat) if is_base64 else flat


def _from_base64(tensor: Tensor, encoded: list[Any]) -> list[str | None]:
    """Return the decoded texts. MLServer's clients send them with `"content_type": "base64"`."""
    name = tensor["name"]
    if tensor["datatype"] != "BYTES":
        raise wrong(name, f"base64 is for BYTES, and the datatype is {tensor['datatype']}; leave the content type out")
    texts: list[str | None] = []
    for text in encoded:
        try:
            texts.append(None if text is None else b64decode(text, validate=True).decode())
        except ValueError:
            raise wrong(name, f"element {len(texts) + 1} is not a text in base64", text) from None
    return texts


def _of_json(tensor: Tensor, rows: int, width: int) -> list[Any]:
    flat, name, datatype = _flat(tensor, rows, width), tensor["name"], tensor["datatype"]
    if len(flat) != rows * width:
        raise wrong(name, f"the shape {tensor['shape']} has {rows * width} elements, and the data {len(flat)}")
    kinds = set(map(type, flat))
    if not kinds <= _allowed(name, datatype):
        place = next(i for i, value in enumerate(flat) if type(value) not in _allowed(name, datatype))
        raise wrong(name, f"element {place + 1} is no {datatype} in JSON", flat[place])
    return flat if datatype in ("FP64", "BYTES") else _rounded(name, datatype, flat)


def _allowed(name: str, datatype: str) -> frozenset[Any]:
    try:
        return _JSON[datatype]
    except KeyError:
        raise wrong(name, f"{datatype} has no form in JSON; send it as binary data, or as FP32") from None


_NONE = type(None)
_INT: frozenset[Any] = frozenset({int, _NONE})
_FLOAT: frozenset[Any] = frozenset({float, int, _NONE})
_JSON: dict[str, frozenset[Any]] = {name: _INT for name in LAYOUT if "INT" in name} | {
    "FP32": _FLOAT,
    "FP64": _FLOAT,
    "BOOL": frozenset({bool, int, _NONE}),
    "BYTES": frozenset({str, _NONE}),
}


def _rounded(name: str, datatype: str, flat: list[Any]) -> list[Any]:
    """Return the values as the datatype stores them, equal to binary data. Raise Invalid if one doesn't fit."""
    present = [value for value in flat if value is not None]
    try:
        with np.errstate(over="ignore"):
            stored = np.array(present, dtype=LAYOUT[datatype]).tolist()
    except OverflowError:
        stored = []
    if len(stored) != len(present) or (datatype != "FP32" and stored != present):
        raise wrong(name, f"the data has a value that {datatype} does not hold")
    following = iter(stored)
    return [None if value is None else next(following) for value in flat]


def _flat(tensor: Tensor, rows: int, width: int) -> list[Any]:
    """Return the data without its nesting. Raise Invalid if it is nested in another way than the shape."""
    data = tensor.get("data")
    if data is None:
        raise wrong(tensor["name"], "there is no data; send it here, or say its binary_data_size in the parameters")
    if not data or type(data[0]) is not list:
        return data
    nested = len(tensor["shape"]) == 2 and set(map(type, data)) == {list}
    if not nested or len(data) != rows or set(map(len, data)) != {width}:
        raise wrong(tensor["name"], f"the data is not nested as the shape {tensor['shape']} says")
    return data[0] if rows == 1 else list(chain.from_iterable(data))


def _of_bytes(tensor: Tensor, count: int, raw: memoryview) -> list[Any]:
    name, datatype = tensor["name"], tensor["datatype"]
    if tensor.get("data") is not None:
        raise wrong(name, "it has both data and a binary_data_size; send one of them")
    if datatype == "BYTES":
        return _strings(name, count, raw)
    layout = np.dtype(LAYOUT[datatype])
    if len(raw) != count * layout.itemsize:
        size = count * layout.itemsize
        raise wrong(name, f"{count} elements of {datatype} have {size} bytes, and binary_data_size is {len(raw)}")
    array = np.frombuffer(raw, layout)
    if datatype == "BOOL" and array.view("u1").max(initial=0) > 1:
        raise wrong(name, "a byte of a BOOL is 0 or 1")
    if datatype == "BF16":
        array = (array.astype("<u4") << 16).view("<f4")
    return list(array.tolist())


def _strings(name: str, count: int, raw: memoryview) -> list[str]:
    """Return the strings: each is its length in four bytes, followed by UTF-8."""
    strings: list[str] = []
    place, size = 0, len(raw)
    while place < size and len(strings) < count:
        length = _LENGTH.unpack_from(raw, place)[0] if place + 4 <= size else size
        first, place = place + 4, place + 4 + length
        if place > size:
            raise wrong(name, f"string {len(strings) + 1} ends after the tensor's {size} bytes")
        try:
            strings.append(str(raw[first:place], "utf-8"))
        except UnicodeDecodeError as error:
            raise wrong(name, f"row {len(strings) + 1} is not UTF-8: {error.reason}") from None
    if place != size or len(strings) != count:
        rest = size - place
        raise wrong(name, f"{count} strings are expected; there are {len(strings)}, and {rest} bytes more")
    return strings


def encode(datatype: str, flat: Sequence[Any]) -> bytes:
    """Return an output as bytes. Raise ValueError, TypeError or OverflowError if values don't fit the datatype."""
    if datatype != "BYTES":
        return np.asarray(flat, dtype=LAYOUT[datatype]).tobytes()
    texts = [str(value).encode() for value in flat]
    return b"".join(chain.from_iterable((_LENGTH.pack(len(text)), text) for text in texts))
