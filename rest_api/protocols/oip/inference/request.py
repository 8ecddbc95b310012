"""The request of an inference in the Open Inference Protocol: tensors to columns."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from ML.errors import Invalid
from ML.schema import json_size as json_reader
from ML.schema.csv_rows import check_names
from rest_api.protocols.oip.inference import plain_request, requested_outputs
from rest_api.protocols.oip.inference.requested_outputs import Output
from rest_api.protocols.oip.model_signature import SHARES, ModelSignature
from rest_api.protocols.oip.tensors.binary_data import BinaryData
from rest_api.protocols.oip.tensors.elements import values
from rest_api.protocols.oip.tensors.tensor import Tensor, dimensions, wrong
from rest_api.protocols.oip.validation import checked


@with_config(ConfigDict(strict=True))
class Envelope(TypedDict):
    """The JSON of a request. Clients send null for unset fields."""

    id: NotRequired[str | None]
    parameters: NotRequired[dict[str, Any] | None]
    inputs: Annotated[list[Tensor], Field(min_length=1)]
    outputs: NotRequired[list[Output] | None]


ENVELOPE = TypeAdapter(Envelope)


class InferRequest(NamedTuple):
    """Converted rows, as a sequence of values for each column; the id; and the requested outputs."""

    columns: Sequence[Sequence[Any]]
    rows: int
    id: str | None
    outputs: dict[str, bool]
    """Names of the requested outputs, and whether to return each as binary data."""

    @property
    def probabilities(self) -> bool:
        """Whether an output needs the probabilities."""
        return any(name in SHARES for name in self.outputs)


def parse(signature: ModelSignature, body: bytes, json_size: int | None, most_rows: int) -> InferRequest:
    """Parse a body. Its first `json_size` bytes are JSON, or all of it if that is None.

    Raise TooLarge, and Invalid with the tensor, row and column.
    """
    if json_size is not None and json_size > len(body):
        message = f"Inference-Header-Content-Length is {json_size}, and the body has {len(body)} bytes"
        raise Invalid.at(msg=message, type="too_long")
    width = len(signature.names)
    # Data may be nested, with an array for each value.
    envelope = json_reader.read(body if json_size is None else body[:json_size], most_rows * width, 1)
    if json_size is None and (plain := plain_request.numbers(signature, envelope, most_rows)):
        return InferRequest(*plain, envelope.get("id"), requested_outputs.read(envelope))
    envelope = checked(ENVELOPE, envelope)
    data = BinaryData(memoryview(body)[len(body) if json_size is None else json_size :], json_size is not None)
    inputs = envelope["inputs"]
    columns, rows = (_matrix(signature, inputs, data, most_rows)) or _columns(signature, inputs, data, most_rows)
    data.check_end()
    return InferRequest(columns, rows, envelope.get("id"), requested_outputs.read(envelope))


def _matrix(
    signature: ModelSignature, inputs: list[Tensor], data: BinaryData, most_rows: int
) -> tuple[Any, int] | None:
    """Return the columns and the number of rows of a single tensor with all columns, or None for others."""
    tensor = inputs[0]
    if len(inputs) > 1:
        return None
    rows, width = dimensions(tensor, most_rows)
    if len(tensor["shape"]) == 1:
        return None
    names = signature.schema.names
    if width != len(names):
        if width == 1 or tensor["name"] in names:
            return None
        order = ", ".join(names)
        raise wrong(tensor["name"], f"it has {width} columns, and the model {len(names)}, in this order: {order}")
    return signature.columns.matrix(values(tensor, rows, width, data.take(tensor))), rows


def _columns(signature: ModelSignature, inputs: list[Tensor], data: BinaryData, most_rows: int) -> tuple[Any, int]:
    """Return the columns and the number of rows from one tensor for each column."""
    names = signature.schema.names
    check_names(names, [tensor["name"] for tensor in inputs])
    columns: dict[str, list[Any]] = {}
    known_names = set(names)
    for tensor in inputs:
        name = tensor["name"]
        if name not in known_names:
            raise wrong(name, f"it is not a column of this model; there are {', '.join(names)}")
        if name in columns:
            raise wrong(name, "it is there more than once")
        rows, width = dimensions(tensor, most_rows)
        if width != 1:
            raise wrong(name, f"the shape {tensor['shape']} is not that of one column, [rows] or [rows, 1]")
        columns[name] = values(tensor, rows, 1, data.take(tensor))
        if len(columns[name]) != len(columns[inputs[0]["name"]]):
            raise wrong(name, f"it has {rows} rows, and {inputs[0]['name']} has another number")
    return signature.columns.convert([columns[name] for name in names]), rows
