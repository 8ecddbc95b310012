"""Clients of third parties, unmodified, against the real server."""

import json
from collections.abc import Callable

import pytest
from clients.asking import ask
from conftest import PASSWORD, USER, Server

# Their environments are installed by the first test that needs them.
pytestmark = pytest.mark.timeout(900)

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1")


def test_kserves_client_speaks_v1(server: Server) -> None:
    found = ask("kserve", server.url, USER, PASSWORD, "classifier", json.dumps([ROW]))
    assert found == {"ready": True, "predicted": {"predictions": ["setosa"]}}
