"""KServe's V1 protocol by plain HTTP; its own client asks in test_clients.py."""

from collections.abc import Callable

import httpx2 as httpx
import pytest
from conftest import Server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", OPEN_PROTOCOLS="kserve")


def test_rows_are_predicted_as_by_the_project_itself(server: Server) -> None:
    answer = server.client.post("/v1/models/classifier:predict", json={"instances": [ROW, ROW]})
    assert answer.json() == {"predictions": server.predict([ROW, ROW]).json()["predictions"]}


def test_the_platform_that_has_asked_for_credentials_needs_none_here(server: Server) -> None:
    url = f"{server.url}/v1/models/classifier"
    assert httpx.post(f"{url}:predict", json={"instances": [ROW]}).json() == {"predictions": ["setosa"]}
    assert httpx.get(url).json() == {"name": "classifier", "ready": True}
    assert httpx.get(f"{server.url}/models").status_code == 401


def test_errors_are_one_text(server: Server) -> None:
    wrong = httpx.post(f"{server.url}/v1/models/classifier:predict", json={"instances": [{**ROW, "petal_width": "x"}]})
    assert wrong.status_code == 400 and "petal_width" in wrong.json()["error"]
    assert httpx.get(f"{server.url}/v1/models/nothing").json() == {
        "error": "There is no model nothing; there are classifier, regressor"
    }
