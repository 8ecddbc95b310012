"""The outputs that a request wants, and the form of each."""

from collections.abc import Mapping
from typing import Any, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from ML.errors import Invalid
from rest_api.protocols.oip.model_signature import PREDICT, PROBABILITIES, SHARES


@with_config(ConfigDict(strict=True))
class Output(TypedDict):
    """An output that the client requests."""

    name: str
    parameters: NotRequired[dict[str, Any] | None]


def read(envelope: Mapping[str, Any]) -> dict[str, bool]:
    """Return the names of the requested outputs, and whether to return each as binary data."""
    parameters = envelope.get("parameters") or {}
    binary = _flag(parameters, "binary_data_output", False)
    requested = envelope.get("outputs")
    if not requested:
        shares = _flag(parameters, PROBABILITIES, False)
        return {PREDICT: binary, PROBABILITIES: binary} if shares else {PREDICT: binary}
    outputs: dict[str, bool] = {}
    for each in requested:
        name, options = each["name"], each.get("parameters") or {}
        if name not in (PREDICT, *SHARES) or name in outputs:
            names = f"{PREDICT} and {PROBABILITIES}, which may be called {SHARES[1]}"
            problem = "is requested twice" if name in outputs else f"is not an output; the outputs are {names}"
            raise Invalid.at("outputs", name, msg=f"{name} {problem}", type="output_invalid")
        for refused in ("classification", "shared_memory_region"):
            if options.get(refused):
                message = f"{name}: {refused} is not supported; leave it out"
                raise Invalid.at("outputs", name, msg=message, type="output_invalid")
        outputs[name] = _flag(options, "binary_data", binary)
    return outputs


def _flag(parameters: dict[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise Invalid.at("parameters", name, msg=f"{name} must be true or false", type="bool_type", input=value)
    return value
