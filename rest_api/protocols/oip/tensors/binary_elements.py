"""The elements of a tensor as bytes, little-endian: to Python values and back.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from rest_api.protocols.oip.tensors.datatypes import LAYOUT
from rest_api.protocols.oip.tensors.tensor import Tensor, wrong

_LENGTH = struct.Struct("<I")


def decode(tensor: Tensor, count: int, raw: memoryview) -> list[Any]:
    """Return the elements, of which the shape wants `count`. Raise Invalid."""
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
