"""The Open Inference Protocol by plain HTTP; other people's clients ask in test_clients.py."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from conftest import Server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
MATRIX: dict[str, Any] = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}
NAMES = ["classifier", "regressor", "strict"]
INFER = "/v2/models/classifier/infer"


# It can't do without a value.
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


def send(server: Server, envelope: Any, raw: bytes, path: str = INFER) -> httpx.Response:
    """JSON and the bytes behind it."""
    text = json.dumps(envelope).encode()
    return server.client.post(path, content=text + raw, headers={"inference-header-content-length": str(len(text))})


def outputs(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {each["name"]: each["data"] for each in answer.json()["outputs"]}


def said(answer: httpx.Response, status: int = 422) -> str:
    """The one text of an error."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    return answer.json()["error"]


def test_the_server_tells_of_itself_and_its_models(server: Server) -> None:
    assert server.client.get("/v2").json()["extensions"][0] == "binary_tensor_data"
    assert server.client.get("/v2/health/live").json() == {"live": True}
    assert server.client.get("/v2/health/ready").json() == {"ready": True}
    told = server.client.get("/v2/models/classifier").json()
    assert told["inputs"] == [{"name": name, "datatype": "FP64", "shape": [-1]} for name in ROW]
    assert [output["name"] for output in told["outputs"]] == ["predict", "probabilities"]
    assert server.client.get(f"/v2/models/classifier/versions/{told['versions'][0]}").json() == told
    assert server.client.get("/v2/models/classifier/ready").json() == {"name": "classifier", "ready": True}


def test_a_matrix_and_columns_in_any_order_are_predicted_as_by_the_project_itself(server: Server) -> None:
    wanted = {"predict": server.predict([ROW]).json()["predictions"]}
    nested = MATRIX | {"data": [MATRIX["data"]]}
    for inputs in ([MATRIX], [nested], columns(), columns()[::-1], columns(petal_width={"shape": [1, 1]})):
        assert outputs(infer(server, inputs)) == wanted
        assert outputs(infer(server, inputs, parameters={"content_type": "pd"})) == wanted


def test_id_model_and_version_are_told(server: Server) -> None:
    version = server.predict([ROW]).json()["model_version"]
    for path in (INFER, f"/v2/models/classifier/versions/{version}/infer"):
        answer = infer(server, [MATRIX], path, id='mine "1"').json()
        assert answer == {
            "model_name": "classifier",
            "model_version": str(version),
            "id": 'mine "1"',
            "outputs": [{"name": "predict", "shape": [1], "datatype": "BYTES", "data": ["setosa"]}],
        }
    assert "id" not in infer(server, [MATRIX]).json()


def test_a_version_that_is_not_live_is_not_found(server: Server) -> None:
    for part in ("", "/ready", "/config", "/stats"):
        assert "Version 77 of classifier is not live" in said(
            server.client.get(f"/v2/models/classifier/versions/77{part}"), 404
        )
    assert "not live" in said(infer(server, [MATRIX], "/v2/models/classifier/versions/x/infer"), 404)
    assert "no model nope" in said(infer(server, [MATRIX], "/v2/models/nope/infer"), 404)
    assert "no route /v2/models/a/b/c" in said(server.client.get("/v2/models/a/b/c"), 404)


def test_probabilities_come_when_they_are_asked_for(server: Server) -> None:
    wanted = server.predict([ROW], probabilities=True).json()
    for fields in (
        {"outputs": [{"name": "predict"}, {"name": "probabilities"}]},
        {"parameters": {"probabilities": True}},
    ):
        answer = infer(server, [MATRIX], **fields)
        assert outputs(answer) == {"predict": wanted["predictions"], "probabilities": wanted["probabilities"][0]}
        assert json.loads(answer.json()["outputs"][1]["parameters"]["classes"]) == wanted["classes"]
    assert list(outputs(infer(server, [MATRIX], outputs=[{"name": "probabilities"}]))) == ["probabilities"]
    strict = "/v2/models/strict/infer"
    assert "no probabilities" in said(infer(server, [MATRIX], strict, parameters={"probabilities": True}))
    assert "probabilities" not in server.client.get("/v2/models/strict").text


def test_a_model_of_several_kinds_is_described_and_asked_as_such(server: Server) -> None:
    row = server.client.get("/models/regressor").json()["live"]["example"]
    told = server.client.get("/v2/models/regressor").json()
    assert {t["datatype"] for t in told["inputs"]} == {"FP64", "BOOL", "BYTES"}
    flag = next(t["name"] for t in told["inputs"] if t["datatype"] == "BOOL")
    wanted = server.predict([row], "regressor").json()["predictions"]
    yes = row[flag] == "Yes" or row[flag] is True or row[flag] == "yes"
    for datatype, value in (("BOOL", yes), ("FP64", float(yes)), ("INT8", int(yes)), ("BYTES", "yes" if yes else "no")):
        tensors = [
            {"name": t["name"], "shape": [1], "datatype": t["datatype"], "data": [row[t["name"]]]}
            | ({"datatype": datatype, "data": [value]} if t["name"] == flag else {})
            for t in told["inputs"]
        ]
        answer = infer(server, tensors, "/v2/models/regressor/infer")
        assert outputs(answer) == {"predict": wanted}
        assert answer.json()["outputs"][0]["datatype"] == told["outputs"][0]["datatype"] == "FP64"


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT8", "INT64", "UINT16", "FP16"])
def test_binary_data_of_every_datatype_says_the_same_as_json(server: Server, datatype: str) -> None:
    layout = {"FP64": "<f8", "FP32": "<f4", "INT8": "<i1", "INT64": "<i8", "UINT16": "<u2", "FP16": "<f2"}[datatype]
    values = np.array([[5, 3, 1, 0], [6, 3, 5, 2]], dtype=layout)
    tensor = {"name": "x", "shape": [2, 4], "datatype": datatype, "parameters": {"binary_data_size": values.nbytes}}
    wanted = server.predict(values.astype(float).tolist()).json()["predictions"]
    assert outputs(send(server, {"inputs": [tensor]}, values.tobytes()))["predict"] == wanted


def test_outputs_come_as_bytes_where_that_is_asked_for(server: Server) -> None:
    wanted = server.predict([ROW], probabilities=True).json()
    asked = {"outputs": [{"name": "predict", "parameters": {"binary_data": True}}, {"name": "probabilities"}]}
    for fields in (asked | {"parameters": {"binary_data_output": True}}, asked):
        answer = infer(server, [MATRIX], **fields)
        assert answer.headers["content-type"] == "application/octet-stream"
        size = int(answer.headers["inference-header-content-length"])
        told, rest = json.loads(answer.content[:size]), answer.content[size:]
        assert "data" not in told["outputs"][0]
        assert rest[:10] == struct.pack("<I", 6) + b"setosa"
        if "parameters" in fields:
            assert np.frombuffer(rest[10:]).tolist() == wanted["probabilities"][0]
        else:
            assert told["outputs"][1]["data"] == wanted["probabilities"][0]


def test_bodies_may_come_packed(server: Server) -> None:
    body = json.dumps({"inputs": [MATRIX]}).encode()
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)):
        answer = server.client.post(INFER, content=pack(body), headers={"content-encoding": encoding})
        assert outputs(answer) == {"predict": ["setosa"]}
        if encoding != "identity":
            cut = server.client.post(INFER, content=pack(body)[:-3], headers={"content-encoding": encoding})
            assert "unpacked" in said(cut, 400)
            bomb = server.client.post(INFER, content=pack(b" " * 2**21), headers={"content-encoding": encoding})
            assert "MAX_BODY_MB" in said(bomb, 413)
            wrong = server.client.post(INFER, content=body, headers={"content-encoding": encoding})
            assert "unpacked" in said(wrong, 400)
    assert "br" in said(server.client.post(INFER, content=body, headers={"content-encoding": "br"}), 415)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br;q=1, deflate;q=0.5"])
def test_answers_that_are_worth_it_go_packed(server: Server, encoding: str) -> None:
    many = {"name": "x", "shape": [500, 4], "datatype": "FP64", "data": MATRIX["data"] * 500}
    answer = server.client.post(INFER, json={"inputs": [many]}, headers={"accept-encoding": encoding})
    assert answer.headers["content-encoding"] in encoding
    assert int(answer.headers["content-length"]) < 1000
    assert outputs(answer) == {"predict": ["setosa"] * 500}
    for refused in ("identity", "gzip;q=0", ""):
        plain = server.client.post(INFER, json={"inputs": [many]}, headers={"accept-encoding": refused})
        assert "content-encoding" not in plain.headers


def test_the_repository_lists_the_models(server: Server) -> None:
    found = server.client.post("/v2/repository/index").json()
    assert [(model["name"], model["state"]) for model in found] == [(name, "READY") for name in NAMES]
    assert server.client.post("/v2/repository/index", json={"ready": True}).json() == found
    assert "ready" in said(server.client.post("/v2/repository/index", json={"ready": 1}))


def test_statistics_count_rows_and_calls(server: Server) -> None:
    before = server.client.get("/v2/models/classifier/stats").json()["model_stats"][0]
    many = {"name": "x", "shape": [50, 4], "datatype": "FP64", "data": MATRIX["data"] * 50}
    assert outputs(infer(server, [many]))
    after = server.client.get("/v2/models/classifier/stats").json()["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + 50
    assert after["execution_count"] == before["execution_count"] + 1
    assert after in server.client.get("/v2/models/stats").json()["model_stats"]


WRONG = {
    "nothing": ({}, "inputs"),
    "no inputs": ({"inputs": []}, "inputs"),
    "no shape": ({"inputs": [{"name": "x", "datatype": "FP64", "data": [1]}]}, "inputs[0].shape"),
    "a negative dimension": ({"inputs": [MATRIX | {"shape": [-1, 4]}]}, "inputs[0].shape[0]"),
    "a fraction of a dimension": ({"inputs": [MATRIX | {"shape": [1.5, 4]}]}, "inputs[0].shape[0]"),
    "no dimension": ({"inputs": [MATRIX | {"shape": []}]}, "neither [rows]"),
    "three dimensions": ({"inputs": [MATRIX | {"shape": [1, 4, 1]}]}, "neither [rows]"),
    "no rows": ({"inputs": [MATRIX | {"shape": [0, 4], "data": []}]}, "no rows"),
    "a dimension too large for anything": ({"inputs": [MATRIX | {"shape": [1, 10**30]}]}, "inputs[0].shape[1]"),
    "a large shape with little data": ({"inputs": [MATRIX | {"shape": [4000, 4]}]}, "16000 elements, and the data 4"),
    "data too short": ({"inputs": [MATRIX | {"data": [1, 2, 3]}]}, "4 elements, and the data 3"),
    "data too long": ({"inputs": [MATRIX | {"data": [1, 2, 3, 4, 5]}]}, "4 elements, and the data 5"),
    "no data": ({"inputs": [MATRIX | {"data": None}]}, "inputs[0].data"),
    "data left out": ({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64"}]}, "there is no data"),
    "data nested otherwise": ({"inputs": [MATRIX | {"data": [[1, 2], [3, 4]]}]}, "not nested as the shape"),
    "data nested too deeply": ({"inputs": [MATRIX | {"data": [[[1], [2], [3], [4]]]}]}, "no FP64 in JSON"),
    "another datatype": ({"inputs": [MATRIX | {"datatype": "FP128"}]}, "inputs[0].datatype"),
    "text as numbers": ({"inputs": [MATRIX | {"data": ["5", 3, 1, 0]}]}, "element 1 is no FP64"),
    "fractions as integers": ({"inputs": [MATRIX | {"datatype": "INT64"}]}, "element 1 is no INT64"),
    "an integer too large": ({"inputs": [MATRIX | {"datatype": "INT8", "data": [300, 1, 1, 1]}]}, "INT8 does not hold"),
    "FP16 in JSON": ({"inputs": [MATRIX | {"datatype": "FP16"}]}, "FP16 has no form in JSON"),
    "strings for numbers": ({"inputs": [MATRIX | {"datatype": "BYTES", "data": ["5", "3", "1", "x"]}]}, "row 1, "),
    "another width": ({"inputs": [MATRIX | {"shape": [1, 3], "data": [1, 2, 3]}]}, "3 columns, and the model 4"),
    "one row as a vector": ({"inputs": [MATRIX | {"shape": [4]}]}, "the column sepal_length is missing"),
    "a missing column": ({"inputs": columns()[1:]}, "the column sepal_length is missing"),
    "a misspelt column": ({"inputs": columns(petal_width={"name": "petal_widht"})}, "is it spelt petal_widht here?"),
    "an unknown column": ({"inputs": [*columns(), MATRIX | {"name": "y"}]}, "y: it is not a column of this model"),
    "a column twice": ({"inputs": [*columns(), columns()[0]]}, "sepal_length: it is there more than once"),
    "other numbers of rows": (
        {"inputs": columns(petal_width={"shape": [2], "data": [1, 2]})}, "petal_width: it has 2 rows"),
    "an unknown output": ({"inputs": [MATRIX], "outputs": [{"name": "y"}]}, "y is not an output"),
    "an output twice": ({"inputs": [MATRIX], "outputs": [{"name": "predict"}] * 2}, "asked for twice"),
    "a word for a flag": ({"inputs": [MATRIX], "parameters": {"binary_data_output": "yes"}}, "must be true or false"),
    "a number for an id": ({"inputs": [MATRIX], "id": 42}, "id: "),
    "classification": (
        {"inputs": [MATRIX], "outputs": [{"name": "predict", "parameters": {"classification": 3}}]}, "classification"),
    "shared memory": ({"inputs": [MATRIX | {"parameters": {"shared_memory_region": "x"}}]}, "no shared memory"),
    "base64": ({"inputs": [MATRIX | {"parameters": {"content_type": "base64"}}]}, "base64"),
    "binary data that is not there": (
        {"inputs": [{**MATRIX, "parameters": {"binary_data_size": 32}}]}, "0 bytes are left; the header"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_told_what_is_wrong(server: Server, body: Any, says: str) -> None:
    assert says in said(server.client.post(INFER, json=body))


def test_what_is_not_finite_is_named_by_row_and_column(server: Server) -> None:
    two = {"name": "x", "shape": [2, 4], "datatype": "FP64"}
    strict = "/v2/models/strict/infer"
    for value, says in (
        (float("nan"), "row 2, petal_length is missing"),
        (float("inf"), "row 2, petal_length: the number is not finite"),
    ):
        values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, value, 8.0]
        body = json.dumps({"inputs": [two | {"data": values}]})  # NaN and Infinity, as clients write them
        assert says in said(server.client.post(strict, content=body))
        raw = np.array(values).tobytes()
        assert says in said(send(server, {"inputs": [two | {"parameters": {"binary_data_size": 64}}]}, raw, strict))
    body = json.dumps({"inputs": [two | {"data": [1, 2, 3, 4, 5, 6, None, 8]}]})
    assert "row 2, petal_length is missing" in said(server.client.post(strict, content=body))


def test_binary_data_of_a_wrong_size_is_refused(server: Server) -> None:
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64"}
    for size, raw, says in (
        (32, b"\0" * 31, "31 bytes are left"),
        (31, b"\0" * 31, "have 32 bytes, and binary_data_size is 31"),
        (32, b"\0" * 33, "1 bytes at the end"),
        (-1, b"", "binary_data_size is -1"),
        (True, b"\0", "binary_data_size is True"),
        ("32", b"\0" * 32, "binary_data_size is '32'"),
        (10**40, b"\0" * 32, "bytes are left"),
    ):
        assert says in said(send(server, {"inputs": [tensor | {"parameters": {"binary_data_size": size}}]}, raw)), size
    both = tensor | {"data": [1, 2, 3, 4], "parameters": {"binary_data_size": 32}}
    assert "both data and" in said(send(server, {"inputs": [both]}, b"\0" * 32))
    huge = tensor | {"shape": [5000, 4], "parameters": {"binary_data_size": 32}}
    assert "20000 elements of FP64 have 160000 bytes" in said(send(server, {"inputs": [huge]}, b"\0" * 32))
    more = tensor | {"shape": [10**15, 4], "parameters": {"binary_data_size": 32}}
    assert "MAX_ROWS" in said(send(server, {"inputs": [more]}, b"\0" * 32), 413)


def test_the_length_of_the_json_is_checked(server: Server) -> None:
    body = json.dumps({"inputs": [MATRIX]})
    for length in ("x", "-1", "1e3", "9" * 40, "\u0661".encode().decode("latin-1")):
        headers = {"inference-header-content-length": length.encode("latin-1")}
        assert "length of the JSON" in said(server.client.post(INFER, content=body, headers=headers))
    for size in (0, len(body) - 1, 10**9):
        headers = {"inference-header-content-length": str(size).encode()}
        assert said(server.client.post(INFER, content=body, headers=headers))


def test_credentials_roles_limits_and_types_hold(serve: Callable[..., Server], server: Server) -> None:
    refused = httpx.post(f"{server.url}{INFER}", json={"inputs": [MATRIX]})
    assert "credentials" in said(refused, 401)
    assert httpx.get(f"{server.url}/v2/health/ready").status_code == 401
    assert "MAX_BODY_MB" in said(server.client.post(INFER, content=b" " * (2**20 + 1)), 413)
    wrong = server.client.post(INFER, content="{}", headers={"content-type": "text/csv"})
    assert "takes application/json" in said(wrong, 415)
    assert "it takes POST" in said(server.client.get(INFER), 405)
    many = {"name": "x", "shape": [5001, 4], "datatype": "INT8", "data": [1] * 20004}
    assert "MAX_ROWS" in said(infer(server, [many]), 413)
