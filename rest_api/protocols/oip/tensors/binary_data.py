"""Triton's extension for binary data: the bytes of the tensors follow the JSON."""

from ML.errors import Invalid
from rest_api.protocols.oip.tensors.tensor import Tensor, wrong


class BinaryData:
    """The bytes behind the JSON, consumed tensor by tensor."""

    def __init__(self, rest: memoryview, announced: bool) -> None:
        self.rest = rest
        """The bytes that no tensor has taken yet."""
        self.announced = announced
        """Whether the request had the header Inference-Header-Content-Length."""

    def take(self, tensor: Tensor) -> memoryview | None:
        """Return the bytes of a tensor, or None if its data is in the JSON. Raise Invalid if bytes are missing."""
        parameters = tensor.get("parameters")
        if not parameters:
            return None
        if parameters.get("shared_memory_region") is not None:
            raise wrong(tensor["name"], "there is no shared memory here; send the data")
        size = parameters.get("binary_data_size")
        if size is None:
            return None
        if type(size) is not int or not 0 <= size <= len(self.rest):
            hint = "" if self.announced else "; the header Inference-Header-Content-Length says where they begin"
            raise wrong(tensor["name"], f"binary_data_size is {size!r:.40}, and {len(self.rest)} bytes are left{hint}")
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def check_end(self) -> None:
        """Raise Invalid if bytes are left that belong to no tensor."""
        if self.rest:
            raise Invalid.at(msg=f"{len(self.rest)} bytes at the end belong to no input", type="tensor_invalid")
