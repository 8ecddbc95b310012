"""Request shapes: the path, the body for one row, and the predictions in the response."""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from testing.benchmark.tables import Row

JSON = "application/json"
SIZE = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Shape:
    """How to send a row to a system, and how to read its response."""

    path: str
    body: Callable[[Row], bytes]
    answer: Callable[[bytes], list[Any]]
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


def of_json(path: str, body: Callable[[Row], Any], answer: Callable[[Any], list[Any]]) -> Shape:
    """Return a shape with a JSON request and a JSON response."""
    return Shape(path, lambda row: json.dumps(body(row)).encode(), lambda found: answer(json.loads(found)))


def itself(row: Row) -> Any:
    """Return the row itself, for peers whose own code reads the JSON."""
    return row


def instances(row: Row) -> Any:
    """Return the body that fast-ml, KServe and Vertex AI expect."""
    return {"instances": [row]}


def mlflow(row: Row) -> Any:
    """Return the body of MLflow's scoring protocol: an array of numbers, else a DataFrame in `split` form."""
    if _numbers(row):
        return {"inputs": [list(row.values())]}
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}


def oip(row: Row) -> Any:
    """Return an Open Inference Protocol body: one tensor if all are numbers, else an input per column."""
    if _numbers(row):
        return {"inputs": [_matrix(row) | {"data": [list(row.values())]}]}
    kinds = {name: "FP64" if isinstance(value, float) else "BYTES" for name, value in row.items()}
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": kinds[name], "data": [value]}
        | ({"parameters": {"content_type": "str"}} if kinds[name] == "BYTES" else {})
        for name, value in row.items()
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def prediction(answer: Any) -> list[Any]:
    """Return the single prediction as a list."""
    return [answer["prediction"]]


def predictions(answer: Any) -> list[Any]:
    """Return the list of predictions."""
    return list(answer["predictions"])


def outputs(answer: Any) -> list[Any]:
    """Return the predictions of an Open Inference Protocol response: its first output."""
    return list(answer["outputs"][0]["data"])


def oip_binary(path: str, row: Row) -> Shape:
    """Return the shape of the binary extension, for rows with as many numbers as this one."""
    tensor = _matrix(row) | {"parameters": {"binary_data_size": 8 * len(row)}}
    head = json.dumps({"parameters": {"binary_data_output": True}, "inputs": [tensor]}).encode()
    headers = {"Content-Type": "application/octet-stream", SIZE: str(len(head))}
    return Shape(path, lambda row: head + struct.pack(f"<{len(row)}d", *row.values()), _labels, headers)


def _labels(answer: bytes) -> list[Any]:
    """Return the labels behind the JSON: each has its length in four bytes, then its text."""
    text = answer.decode("latin-1")
    _, end = json.JSONDecoder().raw_decode(text)
    found = []
    while end < len(answer):
        (size,) = struct.unpack_from("<I", answer, end)
        found.append(answer[end + 4 : end + 4 + size].decode())
        end += 4 + size
    return found


def _numbers(row: Row) -> bool:
    return all(isinstance(value, float) for value in row.values())


def _matrix(row: Row) -> dict[str, Any]:
    return {"name": "X", "shape": [1, len(row)], "datatype": "FP64"}
