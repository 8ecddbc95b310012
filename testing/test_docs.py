"""The OpenAPI document and Swagger UI: valid, local, and in the columns of the live models."""

import re
from collections.abc import Callable

import pytest
from conftest import Server
from openapi_spec_validator import validate

TABLE = "height,colour,kind\n" + "".join(f"{1000 + i},{'red' if i % 3 else 'blue'},{'ab'[i % 2]}\n" for i in range(40))


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """A server with nothing but its samples."""
    return serve()


def document(server: Server) -> dict:
    return server.client.get("/openapi.json").json()


def example(server: Server, path: str = "/predict") -> dict:
    return document(server)["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]


def test_the_document_is_valid_before_and_after_training(server: Server) -> None:
    validate(document(server))
    server.train(TABLE, "kind").raise_for_status()
    validate(document(server))


def test_the_example_is_a_made_up_row_in_the_live_models_columns(server: Server, iris: str) -> None:
    server.train(iris, "species").raise_for_status()
    shown = example(server)
    assert list(shown["instances"][0]) == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert ",".join(str(float(v)) for v in shown["instances"][0].values()) not in iris
    assert server.client.post("/predict", json=shown).status_code == 200
    server.train(TABLE, "kind").raise_for_status()
    assert list(example(server)["instances"][0]) == ["height", "colour"]
    assert server.client.post("/predict", json=example(server)).status_code == 200


def test_no_value_that_only_one_row_has_is_shown(server: Server) -> None:
    people = "name,id,kind\n" + "".join(f"person {i},{987654000 + i * 37},{'ab'[i % 2]}\n" for i in range(40))
    server.train(people, "kind").raise_for_status()
    text = server.client.get("/openapi.json").text + server.client.get("/models/classifier").text
    assert "person" not in text
    assert not re.search(r"98765\d{4}(?!\d)", text)


def test_every_further_model_has_its_concrete_path_with_its_own_columns(server: Server) -> None:
    regressor = example(server, "/models/regressor/predict")
    assert set(regressor["instances"][0]) != set(example(server)["instances"][0])
    answer = server.client.post("/models/regressor/predict", json=regressor)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json()["predictions"][0], float)
    row = document(server)["components"]["schemas"]["regressor_row"]
    assert set(row["properties"]) == set(regressor["instances"][0])


def test_health_and_docs_need_no_credentials_in_the_document_and_all_else_does(server: Server) -> None:
    paths = document(server)["paths"]
    closed = {path for path, methods in paths.items() for method in methods.values() if method["security"]}
    assert set(paths) - closed == {"/health/live", "/health/ready"}


def test_swagger_ui_loads_nothing_from_another_host(server: Server) -> None:
    page = server.client.get("/docs").text
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(links) == 3
    for link in links:
        assert link.startswith("/docs/")
        assert server.client.get(link).status_code == 200
    assert server.client.get("/", follow_redirects=True).text == page
