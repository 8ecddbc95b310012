"""The shapes of a request: where it goes, what its body is for one row, and what its answer says."""

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
    """How a system is asked about a row, and how its answer is read."""

    path: str
    body: Callable[[Row], bytes]
    answer: Callable[[bytes], list[Any]]
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


def of_json(path: str, body: Callable[[Row], Any], answer: Callable[[Any], list[Any]]) -> Shape:
    """JSON there and back."""
    return Shape(path, lambda row: json.dumps(body(row)).encode(), lambda found: answer(json.loads(found)))


def itself(row: Row) -> Any:
    """The row itself, where the peer's code decides what the JSON looks like."""
    return row


def instances(row: Row) -> Any:
    """fast-ml's, KServe's and Vertex's way."""
    return {"instances": [row]}


def mlflow(row: Row) -> Any:
    """MLflow's scoring protocol: an array of numbers, else a DataFrame in its `split` form."""
    if _numbers(row):
        return {"inputs": [list(row.values())]}
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}


def oip(row: Row) -> Any:
    """Open Inference Protocol: one tensor of numbers, else one input a column, which MLServer joins to a DataFrame."""
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
    """The one prediction."""
    return [answer["prediction"]]


def predictions(answer: Any) -> list[Any]:
    """A list of them."""
    return list(answer["predictions"])


def outputs(answer: Any) -> list[Any]:
    """The first output's, by the Open Inference Protocol."""
    return list(answer["outputs"][0]["data"])


def oip_binary(path: str, row: Row) -> Shape:
    """The protocol's binary extension: numbers behind the JSON, the label behind the answer's. Any row is a pattern."""
    tensor = _matrix(row) | {"parameters": {"binary_data_size": 8 * len(row)}}
    head = json.dumps({"parameters": {"binary_data_output": True}, "inputs": [tensor]}).encode()
    headers = {"Content-Type": "application/octet-stream", SIZE: str(len(head))}
    return Shape(path, lambda row: head + struct.pack(f"<{len(row)}d", *row.values()), _labels, headers)


def _labels(answer: bytes) -> list[Any]:
    """What stands behind the JSON: for each label four bytes of its length, and its text."""
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
