"""Requests and answers match the published OpenAPI document of the Open Inference Protocol."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from server import ROOT, Server

PUBLISHED = json.loads((ROOT / "testing" / "specifications" / "oip-dataplane.json").read_text())
COMPONENTS = PUBLISHED["components"]
# It has a type that JSON does not know.
COMPONENTS["schemas"]["TensorData"] = {"type": "array"}
TEXT_GENERATION = ("generate", "stream")
INFER = "/v2/models/classifier/infer"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1")


def valid(name: str, value: Any) -> None:
    Draft4Validator({"$ref": f"#/components/schemas/{name}", "components": COMPONENTS}).validate(value)


def test_every_route_that_is_published_is_there_and_documented(server: Server) -> None:
    ours = server.client.get("/openapi.json").json()["paths"]
    published = {
        path.replace("model_name", "model").replace("model_version", "version"): set(operations) - {"parameters"}
        for path, operations in PUBLISHED["paths"].items()
        if not path.endswith(TEXT_GENERATION)
    }
    assert len(published) == 9
    assert {path: set(ours.get(path, ())) for path in published} == published


def test_metadata_of_server_and_models_matches_the_specification(server: Server) -> None:
    valid("MetadataServerResponse", server.client.get("/v2").json())
    for model in ("classifier", "regressor"):
        valid("MetadataModelResponse", server.client.get(f"/v2/models/{model}").json())
    valid("MetadataModelErrorResponse", server.client.get("/v2/models/nope").json())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id": "42", "parameters": {"content_type": "pd"}},
        {"outputs": [{"name": "probabilities"}]},
        {"outputs": [{"name": "predict", "parameters": {"content_type": "str"}}, {"name": "probabilities"}]},
    ],
)
def test_published_requests_get_published_answers(server: Server, fields: Any) -> None:
    row = server.client.get("/models/classifier").json()["live"]["example"]
    matrix = [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [list(row.values())]}]
    tensors = [{"name": name, "shape": [1], "datatype": "FP32", "data": [value]} for name, value in row.items()]
    for inputs in (matrix, tensors):
        request = {"inputs": inputs, **fields}
        valid("InferenceRequest", request)
        answer = server.client.post(INFER, json=request)
        assert answer.status_code == 200, answer.text
        valid("InferenceResponse", answer.json())
        assert answer.json().get("id") == fields.get("id")


def test_the_published_example_is_understood_and_refused_for_its_columns(server: Server) -> None:
    example = COMPONENTS["schemas"]["InferenceRequest"]["x-examples"]["Example 1"]
    answer = server.client.post(INFER, json=example)
    assert answer.status_code == 400
    valid("InferenceErrorResponse", answer.json())
    assert "the column sepal_length is missing" in answer.json()["error"]
