"""The Open Inference Protocol in plain HTTP. Third-party clients are tested in test_clients.py."""

import gzip
import json
import struct
import zlib

import numpy as np
import pytest
from oip_client import INFER, MATRIX, NAMES, ROW, columns, error_text, infer, outputs, send, server
from server import Server

__all__ = ["server"]


def test_the_server_describes_itself_and_its_models(server: Server) -> None:
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


def test_the_answer_has_id_model_and_version(server: Server) -> None:
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
        assert "Version 77 of classifier is not live" in error_text(
            server.client.get(f"/v2/models/classifier/versions/77{part}"), 404
        )
    assert "not live" in error_text(infer(server, [MATRIX], "/v2/models/classifier/versions/x/infer"), 404)
    assert "no model nope" in error_text(infer(server, [MATRIX], "/v2/models/nope/infer"), 404)
    assert "no route /v2/models/a/b/c" in error_text(server.client.get("/v2/models/a/b/c"), 404)


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
    assert "no probabilities" in error_text(infer(server, [MATRIX], strict, parameters={"probabilities": True}))
    assert "probabilities" not in server.client.get("/v2/models/strict").text


def test_a_model_with_several_column_kinds_is_described_and_predicts(server: Server) -> None:
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


def test_outputs_are_binary_on_request(server: Server) -> None:
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
            assert "unpacked" in error_text(cut, 400)
            bomb = server.client.post(INFER, content=pack(b" " * 2**21), headers={"content-encoding": encoding})
            assert "MAX_BODY_MB" in error_text(bomb, 413)
            wrong = server.client.post(INFER, content=body, headers={"content-encoding": encoding})
            assert "unpacked" in error_text(wrong, 400)
    assert "br" in error_text(server.client.post(INFER, content=body, headers={"content-encoding": "br"}), 415)


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
    assert "ready" in error_text(server.client.post("/v2/repository/index", json={"ready": 1}))


def test_statistics_count_rows_and_calls(server: Server) -> None:
    before = server.client.get("/v2/models/classifier/stats").json()["model_stats"][0]
    many = {"name": "x", "shape": [50, 4], "datatype": "FP64", "data": MATRIX["data"] * 50}
    assert outputs(infer(server, [many]))
    after = server.client.get("/v2/models/classifier/stats").json()["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + 50
    assert after["execution_count"] == before["execution_count"] + 1
    assert after in server.client.get("/v2/models/stats").json()["model_stats"]
