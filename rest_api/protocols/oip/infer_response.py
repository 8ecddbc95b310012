"""The answer of an inference in the Open Inference Protocol: predictions to tensors."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from ML.prediction.answers import Answer, CannotPredict
from rest_api.protocols.oip import tensors
from rest_api.protocols.oip.infer_request import InferRequest
from rest_api.protocols.oip.model_signature import PREDICT, SHARES, ModelSignature


def answer(contract: ModelSignature, asked: InferRequest, found: Answer) -> tuple[bytes, int | None]:
    """The body, and how many of its bytes are JSON; None where all are. Raises CannotPredict."""
    id = b"" if asked.id is None else b'"id":%s,' % to_json(asked.id)
    if asked.outputs == {PREDICT: False}:
        data = to_json(found.predictions, inf_nan_mode="null")
        return contract.alone % (id, len(found.predictions), data), None
    parts, raw = [], []
    for name, binary in asked.outputs.items():
        head, datatype, flat = _described(contract, name, found)
        if binary:
            raw.append(_encoded(datatype, flat))
            parts.append(b'%s"parameters":{%s"binary_data_size":%d}}' % (head, _told(contract, name), len(raw[-1])))
        else:
            told = _told(contract, name)
            extra = b'"parameters":{%s},' % told[:-1] if told else b""
            parts.append(b'%s%s"data":%s}' % (head, extra, to_json(flat, inf_nan_mode="null")))
    body = b'%s%s"outputs":[%s]}' % (contract.head, id, b",".join(parts))
    return (b"".join((body, *raw)), len(body)) if raw else (body, None)


def _described(contract: ModelSignature, name: str, found: Answer) -> tuple[bytes, str, Sequence[Any]]:
    """How an output begins, its datatype, and its elements, row after row."""
    rows = len(found.predictions)
    if name == PREDICT:
        datatype = contract.datatype
        head = b'{"name":"predict","shape":[%d],"datatype":"%s",' % (rows, datatype.encode())
        return head, datatype, found.predictions
    shares = found.probabilities or []
    shape = (name.encode(), rows, len(shares[0]) if shares else 0)
    head = b'{"name":"%s","shape":[%d,%d],"datatype":"FP64",' % shape
    return head, "FP64", [share for row in shares for share in row]


def _told(contract: ModelSignature, name: str) -> bytes:
    return b'"classes":%s,' % to_json(contract.labels) if name in SHARES else b""


def _encoded(datatype: str, flat: Sequence[Any]) -> bytes:
    try:
        return tensors.encode(datatype, flat)
    except (ValueError, TypeError, OverflowError) as error:
        raise CannotPredict(f"The model answered what is no {datatype}: {error}") from error
