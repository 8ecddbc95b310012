"""Null means unset, as clients write it. Further requests in the form that other servers' clients send."""

import json
from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from oip_client import INFER, MATRIX, columns, error_text, example, infer, outputs, send, server
from server import Server

__all__ = ["server"]

NULLS: dict[str, dict[str, Any]] = {
    "id": {"id": None},
    "parameters": {"parameters": None},
    "outputs": {"outputs": None},
    "an output's parameters": {"outputs": [{"name": "predict", "parameters": None}]},
    "an input's parameters": {"inputs": [MATRIX | {"parameters": None}]},
    "a column's parameters": {"inputs": columns(petal_width={"parameters": None})},
    "a flag of the request": {"parameters": {"binary_data_output": None, "probabilities": None}},
    "a flag of an output": {"outputs": [{"name": "predict", "parameters": {"binary_data": None}}]},
    "what is not offered, of an output": {
        "outputs": [{"name": "predict", "parameters": {"classification": None, "shared_memory_region": None}}]
    },
    "what is not offered, of an input": {
        "inputs": [MATRIX | {"parameters": dict.fromkeys(("shared_memory_region", "content_type", "binary_data_size"))}]
    },
    "all at once": {
        "id": None, "parameters": None, "outputs": None, "model_name": None,
        "inputs": [MATRIX | {"parameters": None}],
    },
}  # fmt: skip


@pytest.mark.parametrize("fields", NULLS.values(), ids=NULLS)
def test_null_is_unset(server: Server, fields: dict[str, Any]) -> None:
    answer = server.client.post(INFER, json={"inputs": [MATRIX]} | fields)
    assert outputs(answer) == {"predict": ["setosa"]}
    assert "id" not in answer.json()


def test_null_for_data_that_come_as_bytes(server: Server) -> None:
    raw = np.array(MATRIX["data"]).tobytes()
    tensor = MATRIX | {"data": None, "parameters": {"binary_data_size": len(raw)}}
    assert outputs(send(server, {"id": None, "inputs": [tensor]}, raw)) == {"predict": ["setosa"]}


def test_probabilities_have_the_name_that_was_asked_for(server: Server) -> None:
    shares = server.predict([MATRIX["data"]], probabilities=True).json()["probabilities"][0]
    for names in (["predict_proba"], ["predict", "predict_proba"], ["predict_proba", "probabilities"]):
        answer = infer(server, [MATRIX], outputs=[{"name": name} for name in names])
        found = outputs(answer)
        assert list(found) == names
        assert {name: found[name] for name in names if name != "predict"} == dict.fromkeys(
            (name for name in names if name != "predict"), shares
        )
        assert answer.json()["outputs"][names.index("predict_proba")]["shape"] == [1, 3]
    binary = infer(server, [MATRIX], outputs=[{"name": "predict_proba"}], parameters={"binary_data_output": True})
    size = int(binary.headers["inference-header-content-length"])
    assert json.loads(binary.content[:size])["outputs"][0]["name"] == "predict_proba"
    assert np.frombuffer(binary.content[size:]).tolist() == shares


@pytest.mark.parametrize("name", ["probabilities", "predict_proba"])
def test_a_model_without_probabilities_says_so(server: Server, name: str) -> None:
    for model in ("strict", "regressor"):
        path, inputs = f"/v2/models/{model}/infer", example(server, model)
        assert "no probabilities" in error_text(infer(server, inputs, path, outputs=[{"name": name}]))
        assert outputs(infer(server, inputs, path))


def test_texts_may_come_as_base64(server: Server) -> None:
    path, plain = "/v2/models/regressor/infer", example(server, "regressor")
    packed = [
        tensor | {"data": [b64encode(tensor["data"][0].encode()).decode()], "parameters": {"content_type": "base64"}}
        if tensor["datatype"] == "BYTES"
        else tensor
        for tensor in plain
    ]
    assert packed != plain
    assert outputs(infer(server, packed, path)) == outputs(infer(server, plain, path))


def test_requests_that_clients_send_before_inference_are_answered(server: Server) -> None:
    assert server.client.get("/v2/", follow_redirects=False).json() == server.client.get("/v2").json()
    assert server.client.get("/v2/models").json() == {"models": ["classifier", "regressor", "strict"]}
    for kind in ("system", "cuda"):
        assert server.client.get(f"/v2/{kind}sharedmemory/status").json() == []
