"""The bodies of the Open Inference Protocol in OpenAPI."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from rest_api.http.routes import request_body
from rest_api.protocols.oip.tensors.datatypes import Datatype


class Error(BaseModel):
    """The body of an error."""

    error: str


class Server(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the server is alive."""

    live: bool


class Ready(BaseModel):
    """Whether the server can predict."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model can predict."""

    name: str
    ready: bool


class Index(BaseModel):
    """A model of the repository."""

    name: str
    version: str
    state: str
    reason: str


class TensorMetadata(BaseModel):
    """An input or an output; -1 stands for any number of rows."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: dict[str, Any] | None = Field(None, exclude_if=lambda value: value is None)


class Metadata(BaseModel):
    """Inputs and outputs of a model."""

    model_config = ConfigDict(json_schema_mode_override="serialization")

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class TensorAnswer(BaseModel):
    """An output. Its data is here or, in `parameters.binary_data_size` bytes, behind the JSON."""

    name: str
    shape: list[int]
    datatype: Datatype
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class Inference(BaseModel):
    """Predictions."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[TensorAnswer]


_PARAMETERS = {"type": "object"}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string", "description": "The name of a column, or any name for a matrix of all columns"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        "datatype": {"enum": list(get_args(Datatype))},
        "parameters": _PARAMETERS,
        "data": {"type": "array", "description": "Flat, or nested like the shape; null for a missing value"},
    },
}
_OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"enum": ["predict", "probabilities"]}, "parameters": _PARAMETERS},
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {
            "type": "object",
            "properties": {"binary_data_output": {"type": "boolean"}, "probabilities": {"type": "boolean"}},
        },
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {"type": "array", "items": _OUTPUT},
    },
}
BODY = request_body({"application/json": _REQUEST})
ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": Inference}}
