"""Hot routes behave exactly as they would behind the whole application."""

from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
from server import Server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
ADDED = """

@app.middleware("http")
async def mark(request, follow):
    answer = await follow(request)
    answer.headers["x-marked"] = "yes"
    return answer
"""


def test_added_middleware_runs_for_hot_routes_too(fork: Callable[..., Path], serve: Callable[..., Server]) -> None:
    project = fork()
    with (project / "rest_api" / "classifier_api.py").open("a") as routes:
        routes.write(ADDED)
    server = serve(project, WEB_CONCURRENCY="1")
    for answer in (
        server.predict([ROW]),
        server.client.get("/models"),
        server.predict([{}]),
        server.predict([], "nope"),
    ):
        assert answer.headers["x-marked"] == "yes", answer.text
        assert answer.headers["x-request-id"]
    assert server.predict([ROW]).json()["predictions"] == ["setosa"]
    assert server.predict([ROW], model="classifier").json()["predictions"] == ["setosa"]
    assert server.predict([{}]).status_code == 422
    assert server.predict([ROW], model="nope").status_code == 404
    assert httpx.post(f"{server.url}/predict", json={}).status_code == 401


def test_a_path_similar_to_a_hot_route_is_not_hot(server: Server) -> None:
    for path in ("/predict/", "/models/nope/predict", "/PREDICT", "/models//predict"):
        assert server.client.post(path, json={"instances": [ROW]}).status_code in (404, 307), path
    assert server.client.get("/models/classifier/predict").status_code == 405


def test_a_hot_route_works_below_a_prefix(serve: Callable[..., Server], iris: str) -> None:
    server = serve(ROOT_PATH="/ml", WEB_CONCURRENCY="1")
    for prefix in ("/ml", ""):
        assert server.client.post(f"{prefix}/predict", json={"instances": [ROW]}).json()["predictions"] == ["setosa"]
    assert server.predict_csv(iris).json()["rows"] == 105
