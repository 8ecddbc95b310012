"""The response of an inference in the Open Inference Protocol: predictions to tensors."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from ML.prediction.answers import Answer, CannotPredict
from rest_api.protocols.oip.inference.request import InferRequest
from rest_api.protocols.oip.model_signature import PREDICT, SHARES, ModelSignature
from rest_api.protocols.oip.tensors import binary_elements


def render(signature: ModelSignature, request: InferRequest, answer: Answer) -> tuple[bytes, int | None]:
    """Return the body and the size of its JSON in bytes, or None if all of it is JSON. Raise CannotPredict."""
    id = b"" if request.id is None else b'"id":%s,' % to_json(request.id)
    if request.outputs == {PREDICT: False}:
        data = to_json(answer.predictions, inf_nan_mode="null")
        return signature.json_predictions % (id, len(answer.predictions), data), None
    outputs, binary_data = [], []
    for name, binary in request.outputs.items():
        head, datatype, flat = _described(signature, name, answer)
        parameters = _parameters(signature, name)
        if binary:
            binary_data.append(_encoded(datatype, flat))
            size = len(binary_data[-1])
            outputs.append(b'%s"parameters":{%s"binary_data_size":%d}}' % (head, parameters, size))
        else:
            extra = b'"parameters":{%s},' % parameters[:-1] if parameters else b""
            outputs.append(b'%s%s"data":%s}' % (head, extra, to_json(flat, inf_nan_mode="null")))
    body = b'%s%s"outputs":[%s]}' % (signature.head, id, b",".join(outputs))
    return (b"".join((body, *binary_data)), len(body)) if binary_data else (body, None)


def _described(signature: ModelSignature, name: str, answer: Answer) -> tuple[bytes, str, Sequence[Any]]:
    """Return the beginning of an output's JSON, its datatype, and its elements, row by row."""
    rows = len(answer.predictions)
    if name == PREDICT:
        datatype = signature.datatype
        head = b'{"name":"predict","shape":[%d],"datatype":"%s",' % (rows, datatype.encode())
        return head, datatype, answer.predictions
    shares = answer.probabilities or []
    shape = (name.encode(), rows, len(shares[0]) if shares else 0)
    head = b'{"name":"%s","shape":[%d,%d],"datatype":"FP64",' % shape
    return head, "FP64", [share for row in shares for share in row]


def _parameters(signature: ModelSignature, name: str) -> bytes:
    """Return the parameters of an output as JSON, with a comma at the end."""
    return b'"classes":%s,' % to_json(signature.labels) if name in SHARES else b""


def _encoded(datatype: str, flat: Sequence[Any]) -> bytes:
    try:
        return binary_elements.encode(datatype, flat)
    except (ValueError, TypeError, OverflowError) as error:
        raise CannotPredict(f"The model returned values that are not {datatype}: {error}") from error
