"""The request of an inference in the Open Inference Protocol: tensors to columns."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, NotRequired, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from ML.errors import Invalid
from ML.schema import json_size as bodies
from ML.schema.csv_rows import check_names
from rest_api.protocols.oip import plain_request, tensors
from rest_api.protocols.oip.binary_data import BinaryData
from rest_api.protocols.oip.model_signature import PREDICT, PROBABILITIES, SHARES, ModelSignature
from rest_api.protocols.oip.tensors import Tensor, wrong


@with_config(ConfigDict(strict=True))
class Output(TypedDict):
    """One that is asked for."""

    name: str
    parameters: NotRequired[dict[str, Any] | None]


@with_config(ConfigDict(strict=True))
class Envelope(TypedDict):
    """The JSON of a request. Clients write null for what they leave unset."""

    id: NotRequired[str | None]
    parameters: NotRequired[dict[str, Any] | None]
    inputs: Annotated[list[Tensor], Field(min_length=1)]
    outputs: NotRequired[list[Output] | None]


ENVELOPE = TypeAdapter(Envelope)
T = TypeVar("T")


class InferRequest(NamedTuple):
    """Converted rows, a sequence for each column; the request's id; and each output asked for, whether as bytes."""

    columns: Sequence[Sequence[Any]]
    rows: int
    id: str | None
    outputs: dict[str, bool]

    @property
    def probabilities(self) -> bool:
        """Whether an output needs them."""
        return any(name in SHARES for name in self.outputs)


def parse(contract: ModelSignature, body: bytes, json_size: int | None, most_rows: int) -> InferRequest:
    """The request in a body, whose first `json_size` bytes are JSON; all of it where that is None.

    Raises Invalid, naming tensor, row and column, and TooLarge.
    """
    if json_size is not None and json_size > len(body):
        said = f"Inference-Header-Content-Length is {json_size}, and the body has {len(body)} bytes"
        raise Invalid.at("header", "inference-header-content-length", msg=said, type="too_long")
    width = len(contract.names)
    # Data may be nested: an array for each value.
    envelope = bodies.read(body if json_size is None else body[:json_size], most_rows * width, 1)
    if json_size is None and (found := plain_request.numbers(contract, envelope, most_rows)):
        return InferRequest(*found, envelope.get("id"), _outputs(envelope))
    envelope = checked(ENVELOPE, envelope)
    raw = BinaryData(memoryview(body)[len(body) if json_size is None else json_size :], json_size is not None)
    inputs = envelope["inputs"]
    columns, rows = (_matrix(contract, inputs, raw, most_rows)) or _columns(contract, inputs, raw, most_rows)
    raw.end()
    return InferRequest(columns, rows, envelope.get("id"), _outputs(envelope))


def checked(kind: TypeAdapter[T], value: Any) -> T:
    """Return the value as this type has it. Raises Invalid, with the place of everything that is wrong."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        told = [{**e, "loc": ["body", *e["loc"]], "msg": _placed(e["loc"], e["msg"])} for e in found[: Invalid.most]]
        raise Invalid(told, len(found)) from None


def _placed(place: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return f"{where}: {message}" if where else message


def _matrix(contract: ModelSignature, inputs: list[Tensor], raw: BinaryData, most_rows: int) -> tuple[Any, int] | None:
    """The columns and rows of a single tensor that has all columns side by side, whatever its name."""
    tensor = inputs[0]
    if len(inputs) > 1:
        return None
    rows, width = tensors.dimensions(tensor, most_rows)
    if len(tensor["shape"]) == 1:
        return None
    names = contract.schema.names
    if width != len(names):
        if width == 1 or tensor["name"] in names:
            return None
        order = ", ".join(names)
        raise wrong(tensor["name"], f"it has {width} columns, and the model {len(names)}, in this order: {order}")
    return contract.columns.matrix(tensors.values(tensor, rows, width, raw.next(tensor))), rows


def _columns(contract: ModelSignature, inputs: list[Tensor], raw: BinaryData, most_rows: int) -> tuple[Any, int]:
    """The columns and rows of one tensor for each column."""
    names = contract.schema.names
    check_names(names, [tensor["name"] for tensor in inputs], "inputs")
    found: dict[str, list[Any]] = {}
    known = set(names)
    for tensor in inputs:
        name = tensor["name"]
        if name not in known:
            raise wrong(name, f"it is not a column of this model; there are {', '.join(names)}")
        if name in found:
            raise wrong(name, "it is there more than once")
        rows, width = tensors.dimensions(tensor, most_rows)
        if width != 1:
            raise wrong(name, f"the shape {tensor['shape']} is not that of one column, [rows] or [rows, 1]")
        found[name] = tensors.values(tensor, rows, 1, raw.next(tensor))
        if len(found[name]) != len(found[inputs[0]["name"]]):
            raise wrong(name, f"it has {rows} rows, and {inputs[0]['name']} has another number")
    return contract.columns.convert([found[name] for name in names]), rows


def _outputs(envelope: Envelope) -> dict[str, bool]:
    """The names of the outputs that are asked for, and whether each shall come as bytes."""
    parameters = envelope.get("parameters") or {}
    binary = _flag(parameters, "binary_data_output", False)
    requested = envelope.get("outputs")
    if not requested:
        shares = _flag(parameters, PROBABILITIES, False)
        return {PREDICT: binary, PROBABILITIES: binary} if shares else {PREDICT: binary}
    found: dict[str, bool] = {}
    for each in requested:
        name, wishes = each["name"], each.get("parameters") or {}
        if name not in (PREDICT, *SHARES) or name in found:
            outputs = f"{PREDICT} and {PROBABILITIES}, which may be called {SHARES[1]}"
            said = "is asked for twice" if name in found else f"is not an output; there are {outputs}"
            raise Invalid.at("body", "outputs", name, msg=f"{name} {said}", type="output_invalid")
        for refused in ("classification", "shared_memory_region"):
            if wishes.get(refused):
                said = f"{name}: {refused} is not supported; leave it out"
                raise Invalid.at("body", "outputs", name, msg=said, type="output_invalid")
        found[name] = _flag(wishes, "binary_data", binary)
    return found


def _flag(parameters: dict[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise Invalid.at("body", "parameters", name, msg=f"{name} must be true or false", type="bool_type", input=value)
    return value
