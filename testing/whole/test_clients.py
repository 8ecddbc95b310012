"""Unmodified third-party clients against the real server."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from clients.asking import ask
from server import PASSWORD, USER, Server

# Their environments are installed by the first test that needs them.
pytestmark = pytest.mark.timeout(900)

IRIS = [
    {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2},
    {"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5},
]
MIXED = [
    {"size": 1.5, "colour": "rød 🙂", "open": True, "day": "2024-02-29"},
    {"size": -3e300, "colour": "blue", "open": False, "day": "1999-12-31T23:59:00+02:00"},
]
TEXT = [{"word": "yes, \"quoted\" 'é'"}, {"word": "no"}]
COPY = """
from ML.src.classifier import build, score
"""


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table with copies of these rows and alternating labels."""
    lines = [[*row.values(), label] for row, label in zip(rows, ("up", "down"), strict=True)]
    cells = (",".join('"' + str(cell).replace('"', '""') + '"' for cell in line) for line in lines)
    return ",".join([*rows[0], "label"]) + "\n" + "\n".join([*cells] * 20)


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Any]) -> Server:
    """Start a server with models of numbers, of all kinds of columns, and of text only."""
    server = serve(fork(mixed=COPY, text=COPY), coverage=False, WEB_CONCURRENCY="1")
    for name, rows in (("mixed", MIXED), ("text", TEXT)):
        server.train(table(rows), "label", model=name).raise_for_status()
    return server


@pytest.fixture(scope="module")
def triton(server: Server) -> Any:
    models = {"classifier": IRIS, "mixed": MIXED, "text": TEXT}
    return ask("triton", server.url.removeprefix("http://"), USER, PASSWORD, json.dumps(models))


@pytest.fixture(scope="module")
def kserve(server: Server) -> Any:
    return ask("kserve", server.url, USER, PASSWORD, "classifier", json.dumps(IRIS))


def test_tritonclient_learns_of_server_and_models(triton: Any) -> None:
    assert triton["live"] and triton["ready"]
    assert triton["server"]["name"] == "fast-ml"
    assert {model["name"] for model in triton["index"] if model["state"] == "READY"} >= set(triton["models"])
    mixed = triton["models"]["mixed"]
    assert mixed["ready"] and not mixed["other version"]
    assert [t["datatype"] for t in mixed["metadata"]["inputs"]] == ["FP64", "BYTES", "BOOL", "BYTES"]
    assert [t["data_type"] for t in mixed["config"]["input"]] == [
        "TYPE_FP64",
        "TYPE_STRING",
        "TYPE_BOOL",
        "TYPE_STRING",
    ]
    assert mixed["statistics"]["model_stats"][0]["name"] == "mixed"
    assert len(triton["statistics"]["model_stats"]) >= 3


def test_tritonclient_loads_a_model_and_learns_why_it_stays_loaded(triton: Any) -> None:
    assert triton["load"] is None
    assert triton["load of none"][0] == "404" and "no model nope" in triton["load of none"][1]
    assert triton["unload"][0] == "400" and "stays loaded" in triton["unload"][1]
    assert triton["shared memory"] == [[], []]


@pytest.mark.parametrize(("model", "rows"), [("classifier", IRIS), ("mixed", MIXED), ("text", TEXT)])
def test_tritonclient_gets_the_same_predictions_by_every_way(
    server: Server, triton: Any, model: str, rows: Any
) -> None:
    """As binary and JSON, one input per column or a matrix, plain, gzip and deflate."""
    assert triton["models"][model]["predictions"] == [server.predict(rows, model).json()["predictions"]]


def test_tritonclient_gets_probabilities_and_reads_refusals(triton: Any) -> None:
    assert triton["probabilities"] == [2, 3, True]
    assert triton["refusal"][0] == "400"
    assert "sepal_length is missing" in triton["refusal"][1]


def test_kserves_client_speaks_v1(server: Server, kserve: Any) -> None:
    assert kserve["v1"] == {"live": True, "ready": True, "predictions": server.predict(IRIS).json()["predictions"]}


def test_kserves_client_speaks_v2(server: Server, kserve: Any) -> None:
    wanted = server.predict(IRIS).json()["predictions"]
    answer = ["7", "classifier", wanted]
    health = {"live": True, "ready": True, "model ready": True}
    assert kserve["v2"] == {**health, "JSON": answer, "binary": answer, "dict": wanted}
