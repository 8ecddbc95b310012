"""A server, and requests to it in the Open Inference Protocol."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from server import Server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
MATRIX: dict[str, Any] = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}
NAMES = ["classifier", "regressor", "strict"]
INFER = "/v2/models/classifier/infer"


# Refuses missing values.
STRICT = """
from sklearn.svm import SVC
def build(): return SVC()
def score(model, X, y): return {"accuracy": model.score(X, y)}
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path], iris: str) -> Server:
    server = serve(fork(strict=STRICT), WEB_CONCURRENCY="1", MAX_BODY_MB="1", MAX_ROWS="5000")
    server.train(iris, "species", model="strict").raise_for_status()
    return server


def infer(server: Server, inputs: Any, path: str = INFER, **fields: Any) -> httpx.Response:
    return server.client.post(path, json={"inputs": inputs, **fields})


def columns(**changes: Any) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]} | changes.get(name, {})
        for name, value in ROW.items()
    ]


def example(server: Server, model: str) -> list[dict[str, Any]]:
    """Return the model's example row as one tensor for each column."""
    row = server.client.get(f"/models/{model}").json()["live"]["example"]
    return [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in row.items()
    ]


def send(server: Server, envelope: Any, raw: bytes, path: str = INFER) -> httpx.Response:
    """Post a JSON header followed by binary data."""
    text = json.dumps(envelope).encode()
    return server.client.post(path, content=text + raw, headers={"inference-header-content-length": str(len(text))})


def outputs(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {each["name"]: each["data"] for each in answer.json()["outputs"]}


def error_text(answer: httpx.Response, status: int = 400) -> str:
    """Return the message of an error answer."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    return answer.json()["error"]
