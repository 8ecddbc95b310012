"""Vertex AI: its variables decide port, routes and store."""

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest
from openapi_spec_validator import validate
from server import Server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
OWN = "/v1/endpoints/42/deployedModels/7"
ROUTES = [(OWN, f"{OWN}:predict"), ("/health/ready", "/predict"), ("/ping", "/invocations"), ("/", "/train_model"),
          ("/v1/models/classifier", "/v1/models/classifier:predict")]  # fmt: skip


@pytest.fixture(scope="module")
def store(sample_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a store with the trained samples."""
    return str(shutil.copytree(sample_store, tmp_path_factory.mktemp("store") / "models"))


@pytest.fixture(scope="module", params=ROUTES, ids=[predict for _, predict in ROUTES])
def server(serve: Callable[..., Server], store: str, request: pytest.FixtureRequest) -> Server:
    """Start a server with new routes, or with existing ones."""
    health, predict = request.param
    return serve(
        WEB_CONCURRENCY="1",
        MODELS_DIR=store,
        OPEN_PROTOCOLS="vertex",
        AIP_HEALTH_ROUTE=health,
        AIP_PREDICT_ROUTE=predict,
    )


def routes(server: Server) -> tuple[str, str]:
    return tuple(server.url + server.environment[name] for name in ("AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE"))


def test_the_routes_are_those_that_vertex_chose_and_need_no_credentials(server: Server) -> None:
    health, predict = routes(server)
    assert httpx.get(health).status_code == 200
    assert httpx.post(predict, json={"instances": [ROW, ROW]}).json() == {"predictions": ["setosa"] * 2}


def test_no_other_route_is_opened_by_that(server: Server) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    chosen = {url.removeprefix(server.url) for url in routes(server)}
    public = {"/health/live", "/health/ready"}
    for path in set(paths) - chosen - public:
        for method in paths[path]:
            url = f"{server.url}{path.format(model='classifier', version=1, endpoint='x')}"
            if url not in routes(server):
                assert httpx.request(method, url).status_code == 401, (method, path)


def test_the_document_stands(server: Server) -> None:
    found = server.client.get("/openapi.json")
    assert found.status_code == 200
    validate(found.json())
    path = server.environment["AIP_PREDICT_ROUTE"]
    assert found.json()["paths"][path]["post"]["tags"] == ["Vertex AI"]
    assert "Traceback" not in server.log


def test_the_probabilities_are_in_the_predictions(server: Server) -> None:
    found = httpx.post(routes(server)[1], json={"instances": [ROW], "parameters": {"probabilities": True}}).json()
    assert list(found) == ["predictions"]
    assert list(found["predictions"][0]) == ["prediction", "probabilities", "classes"]
    assert found["predictions"][0]["prediction"] == "setosa"
    assert sum(found["predictions"][0]["probabilities"]) == pytest.approx(1)


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [ROW], "parameters": None},
        {"instances": [ROW], "parameters": {}},
        {"instances": [ROW], "parameters": {"probabilities": None}},
        {"instances": [ROW], "parameters": {"confidenceThreshold": 0.5}},
        {"instances": [list(ROW.values())], "parameters": None, "labels": None},
    ],
)
def test_null_means_unset_and_parameters_of_other_models_are_ignored(server: Server, body: dict) -> None:
    found = httpx.post(routes(server)[1], json=body)
    assert (found.status_code, found.json()) == (200, {"predictions": ["setosa"]})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[]", "instances"),
        ("{}", "instances"),
        ('{"instances": null}', "instances"),
        ('{"inputs": [[1, 2, 3, 4]]}', "instances"),
        ('{"instances": "abc"}', "instances"),
        ('{"instances": []}', "no rows"),
        ('{"instances": [[1, 2]]}', "petal_length is missing"),
        ('{"instances": [[1, 2, 3, 4]], "parameters": {"probabilities": 1}}', "parameters is"),
    ],
)
def test_wrong_input_is_a_bad_request(server: Server, body: str, says: str) -> None:
    found = httpx.post(routes(server)[1], content=body, headers={"content-type": "application/json"})
    assert (found.status_code, found.json()["error"]["code"]) == (400, 400)
    assert says in found.json()["error"]["message"]


def test_errors_have_the_shape_of_googles_apis(server: Server) -> None:
    found = httpx.post(routes(server)[1], json={"instances": [{**ROW, "petal_width": "x"}]})
    assert found.status_code == 400
    assert found.json()["error"]["code"] == 400 and "petal_width" in found.json()["error"]["message"]


def test_without_its_variables_vertex_has_no_routes(serve: Callable[..., Server]) -> None:
    server = serve(WEB_CONCURRENCY="1", BOOTSTRAP="false", PROTOCOLS="vertex", OPEN_PROTOCOLS="vertex")
    tags = {
        tag
        for path in server.client.get("/openapi.json").json()["paths"].values()
        for o in path.values()
        for tag in o.get("tags", [])
    }
    assert "Vertex AI" not in tags
    assert httpx.post(f"{server.url}/predict", json={}).status_code == 401
