"""The elements of a tensor, whatever its form."""

from base64 import b64decode
from typing import Any

from rest_api.protocols.oip.tensors import binary_elements, json_elements
from rest_api.protocols.oip.tensors.tensor import Tensor, wrong


def values(tensor: Tensor, rows: int, width: int, raw: memoryview | None) -> list[Any]:
    """Return the elements, row by row: floats, ints, bools or strings; NaN or None if missing. Raise Invalid."""
    if raw is None:
        flat = json_elements.decode(tensor, rows, width)
    else:
        flat = binary_elements.decode(tensor, rows * width, raw)
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
