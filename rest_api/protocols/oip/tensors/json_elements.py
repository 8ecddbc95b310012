"""The elements of a tensor in JSON, as Python values."""

from itertools import chain
from typing import Any

import numpy as np

from rest_api.protocols.oip.tensors.datatypes import LAYOUT
from rest_api.protocols.oip.tensors.tensor import Tensor, wrong

_NONE = type(None)
_INT: frozenset[Any] = frozenset({int, _NONE})
_FLOAT: frozenset[Any] = frozenset({float, int, _NONE})
_JSON: dict[str, frozenset[Any]] = {name: _INT for name in LAYOUT if "INT" in name} | {
    "FP32": _FLOAT,
    "FP64": _FLOAT,
    "BOOL": frozenset({bool, int, _NONE}),
    "BYTES": frozenset({str, _NONE}),
}


def decode(tensor: Tensor, rows: int, width: int) -> list[Any]:
    """Return the elements, row by row; None where JSON has null. Raise Invalid."""
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
