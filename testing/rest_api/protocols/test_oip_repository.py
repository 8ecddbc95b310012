"""The model repository of the Open Inference Protocol: who may load models, and what loading does."""

from collections.abc import Callable

import httpx2 as httpx
import pytest
from oip_client import error_text
from server import Server

LOAD, UNLOAD = "/v2/repository/models/classifier/load", "/v2/repository/models/classifier/unload"
READER = ("reader", "only reads")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(PREDICT_USER=READER[0], PREDICT_PASS=READER[1], OPEN_PROTOCOLS="oip")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"parameters": null}', b'{"parameters": {"config": null}}'])
def test_a_model_that_is_loaded_stays_so(server: Server, body: bytes) -> None:
    answer = server.client.post(LOAD, content=body)
    assert (answer.status_code, answer.json()) == (200, {"name": "classifier", "load": True})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"parameters": {"config": "{}"}}', "config: a configuration or a file can't be sent here"),
        (b'{"parameters": [1]}', "parameters: "),
        (b"[1]", "dictionary"),
        (b"{", "not JSON"),
        (b"[" * 200_000, "MAX_ROWS"),
    ],
)
def test_loading_a_model_that_can_not_be_loaded_is_refused(server: Server, body: bytes, says: str) -> None:
    assert says in error_text(server.client.post(LOAD, content=body), 413 if "MAX_ROWS" in says else 400)


def test_an_unknown_model_is_named(server: Server) -> None:
    for path in (LOAD, UNLOAD):
        said_so = error_text(server.client.post(path.replace("classifier", "nope")), 404)
        assert "no model nope; there are classifier" in said_so


def test_no_model_is_unloaded_since_the_other_workers_would_not_know(server: Server) -> None:
    for body in (b"", b'{"parameters": {"unload_dependents": false}}'):
        assert "classifier stays loaded" in error_text(server.client.post(UNLOAD, content=body))
    assert server.client.get("/v2/models/classifier/ready").json()["ready"]


def test_only_users_who_may_train_may_load(server: Server) -> None:
    for path in (LOAD, UNLOAD):
        assert "send SERVICE_USER" in error_text(httpx.post(server.url + path, auth=READER), 403)
        assert "credentials" in error_text(httpx.post(server.url + path), 401)
    index = httpx.post(f"{server.url}/v2/repository/index")  # it only reads
    assert [model["state"] for model in index.json()] == ["READY", "READY"]


@pytest.mark.parametrize("ready", [None, False, True])
def test_null_lists_all_models(server: Server, ready: bool | None) -> None:
    found = server.client.post("/v2/repository/index", json={"ready": ready})
    assert [model["name"] for model in found.json()] == ["classifier", "regressor"]
    assert server.client.get("/v2/models").json() == {"models": ["classifier", "regressor"]}


def test_a_version_that_can_not_be_loaded_is_tried_again_at_each_load(serve: Callable[..., Server], iris: str) -> None:
    server = serve(WEB_CONCURRENCY="1")
    trained = server.train(iris, "species", force="true").raise_for_status().json()
    card = server.models_dir / "classifier" / str(trained["version"]) / "card.json"
    whole = card.read_text()
    card.write_text("{")
    pointer = server.models_dir / "classifier" / "current"
    pointer.with_suffix(".new").write_text(pointer.read_text())
    pointer.with_suffix(".new").replace(pointer)  # moved: the worker loads anew, and fails
    assert "can't be loaded" in error_text(server.client.post(LOAD), 503)
    assert server.predict([[5.1, 3.5, 1.4, 0.2]]).status_code == 200  # by the version before
    card.write_text(whole)
    assert server.client.post(LOAD).status_code == 200
    assert (
        server.client.post("/predict", json={"instances": [[5.1, 3.5, 1.4, 0.2]]}).json()["model_version"]
        == (trained["version"])
    )
