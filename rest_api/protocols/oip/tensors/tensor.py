"""A tensor as it arrives, and its shape.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ML.errors import Invalid, TooLarge
from rest_api.protocols.oip.tensors.datatypes import Datatype


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
    return Invalid.at("inputs", tensor, msg=f"{tensor}: {message}", type="tensor_invalid", input=value)


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
