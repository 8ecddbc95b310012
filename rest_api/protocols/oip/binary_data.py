"""The bytes behind the JSON of an inference, tensor after tensor: Triton's extension for binary data."""

from ML.errors import Invalid
from rest_api.protocols.oip.tensors import Tensor, wrong


class BinaryData:
    """The bytes behind the JSON, tensor after tensor."""

    def __init__(self, rest: memoryview, announced: bool) -> None:
        self.rest, self.announced = rest, announced

    def next(self, tensor: Tensor) -> memoryview | None:
        """Those of a tensor; None where its data is in the JSON. Raises Invalid where there are fewer than it says."""
        parameters = tensor.get("parameters")
        if not parameters:
            return None
        if parameters.get("shared_memory_region") is not None:
            raise wrong(tensor["name"], "there is no shared memory here; send the data")
        size = parameters.get("binary_data_size")
        if size is None:
            return None
        if type(size) is not int or not 0 <= size <= len(self.rest):
            said = "" if self.announced else "; the header Inference-Header-Content-Length says where they begin"
            raise wrong(tensor["name"], f"binary_data_size is {size!r:.40}, and {len(self.rest)} bytes are left{said}")
        found, self.rest = self.rest[:size], self.rest[size:]
        return found

    def end(self) -> None:
        """Raises Invalid where bytes are left that belong to no tensor."""
        if self.rest:
            raise Invalid.at("body", msg=f"{len(self.rest)} bytes at the end belong to no input", type="tensor_invalid")
