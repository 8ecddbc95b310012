"""KServe's V1 protocol in plain HTTP. Its own client is tested in test_clients.py."""

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from server import Server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
ARRAY = list(ROW.values())
PATH = "/v1/models/classifier:predict"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", OPEN_PROTOCOLS="kserve")


def test_rows_are_predicted_as_by_the_project_itself(server: Server) -> None:
    answer = server.client.post(PATH, json={"instances": [ROW, ROW]})
    assert answer.json() == {"predictions": server.predict([ROW, ROW]).json()["predictions"]}


def test_an_open_platform_protocol_needs_no_credentials(server: Server) -> None:
    url = f"{server.url}/v1/models/classifier"
    assert httpx.post(f"{url}:predict", json={"instances": [ROW]}).json() == {"predictions": ["setosa"]}
    assert httpx.get(url).json() == {"name": "classifier", "ready": True}
    assert httpx.get(f"{server.url}/models").status_code == 401


BODIES: dict[str, Any] = {
    "inputs": {"inputs": [ROW]},
    "inputs as arrays": {"inputs": [ARRAY]},
    "inputs, and null for instances": {"inputs": [ARRAY], "instances": None},
    "instances, and null for inputs": {"instances": [ARRAY], "inputs": None},
    "a signature": {"signature_name": "serving_default", "instances": [ARRAY]},
    "null for a signature": {"signature_name": None, "instances": [ROW]},
    "null for parameters": {"instances": [ROW], "parameters": None},
    "null for a parameter": {"instances": [ROW], "parameters": {"probabilities": None}},
    "parameters of another model": {"instances": [ROW], "parameters": {"explain": False}},
    "a column more": {"instances": [{**ROW, "note": "x"}]},
    "NaN": {"instances": [{**ROW, "petal_width": float("nan")}]},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_requests_of_kserves_clients_are_understood(server: Server, body: Any) -> None:
    for headers in ({"content-type": "application/json; charset=utf-8"}, {}):  # its client sends none
        answer = server.client.post(PATH, content=json.dumps(body), headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"predictions": ["setosa"]}), answer.text


def test_probabilities_come_when_they_are_asked_for(server: Server) -> None:
    for name in ("instances", "inputs"):
        body = {name: [ROW], "parameters": {"probabilities": True, "other": 1}}
        answer = server.client.post(PATH, json=body).json()
        assert answer["classes"] == ["setosa", "versicolor", "virginica"]
        assert len(answer["probabilities"][0]) == 3


WRONG: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "not JSON"),
    "nothing": (b"", "not JSON"),
    "no UTF-8": (b"0\x80\x06world!\x00\x00", "not JSON"),
    "a list": (b"[[5.1, 3.5, 1.4, 0.2]]", "exactly one of instances, inputs; it has none"),
    "no instances": (b"{}", "it has none"),
    "both": (b'{"instances": [[1, 2, 3, 4]], "inputs": [[1, 2, 3, 4]]}', "it has instances and inputs"),
    "a text": (b'{"instances": "invalid"}', "instances"),
    "no rows": (b'{"instances": []}', "no rows"),
    "a row too short": (b'{"inputs": [[1, 2, 3]]}', "inputs[0]: the column petal_width is missing"),
    "a word for a number": (b'{"instances": [[1, 2, 3, "x"]]}', "instances[0]: petal_width"),
    "a word for a flag": (b'{"inputs": [[1, 2, 3, 4]], "parameters": {"probabilities": "yes"}}', "parameters is"),
    "a list of parameters": (b'{"instances": [[1, 2, 3, 4]], "parameters": [1]}', "parameters is"),
}


@pytest.mark.parametrize(("body", "says"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_a_bad_request_in_one_text(server: Server, body: bytes, says: str) -> None:
    answer = server.client.post(PATH, content=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"]), answer.text
    assert says in answer.json()["error"]


def test_a_type_that_is_not_json_is_refused_and_so_is_a_body_too_large(server: Server) -> None:
    assert server.client.post(PATH, content="x", headers={"content-type": "text/csv"}).status_code == 415
    huge = server.client.post(PATH, content=f'{{"inputs": [{"[]," * 2_000_000}[]]}}')
    assert huge.status_code == 413 and "MAX_ROWS" in huge.json()["error"]


def test_an_unknown_model_is_named(server: Server) -> None:
    says = {"error": "There is no model nothing; there are classifier, regressor"}
    assert httpx.get(f"{server.url}/v1/models/nothing").json() == says
    for verb in ("predict", "explain"):
        answer = httpx.post(f"{server.url}/v1/models/nothing:{verb}", json={"instances": [ROW]})
        assert (answer.status_code, answer.json()) == (404, says)


def test_explanations_are_not_offered(server: Server) -> None:
    answer = server.client.post("/v1/models/classifier:explain", json={"instances": [ROW]})
    assert answer.status_code == 501 and "no explanations" in answer.json()["error"]


def test_its_client_sees_that_the_server_is_alive_and_a_browser_is_sent_to_the_docs(server: Server) -> None:
    assert httpx.get(server.url).json() == {"status": "alive"}
    browser = httpx.get(server.url, headers={"accept": "text/html,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["location"]) == (307, "/docs")
