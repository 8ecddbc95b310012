"""OPEN_PROTOCOLS opens the routes of the protocols it names and no others. By default all are closed."""

from collections.abc import Callable

import httpx2 as httpx
import pytest
from server import Server

VERTEX = {"AIP_HEALTH_ROUTE": "/vertex/health", "AIP_PREDICT_ROUTE": "/vertex:predict"}
HEALTH = {"/health/live", "/health/ready"}
CHANGING = {f"/v2/repository/models/{{model}}/{verb}" for verb in ("load", "unload")}
OPENED = {
    "": (),
    "kserve": ("/v1/",),
    "oip": ("/v2",),
    "sagemaker": ("/ping", "/invocations", "/execution-parameters", "/endpoints/"),
    "mlflow": ("/ping", "/invocations", "/health", "/version"),
    "vertex": ("/vertex",),
}


@pytest.mark.parametrize("opened", OPENED)
def test_only_the_routes_of_the_open_protocol_answer_without_credentials(
    serve: Callable[..., Server], opened: str
) -> None:
    server = serve(BOOTSTRAP="false", WEB_CONCURRENCY="1", OPEN_PROTOCOLS=opened, **VERTEX)
    paths = server.client.get("/openapi.json").json()["paths"]
    found = set()
    for path, methods in paths.items():
        for method, operation in methods.items():
            url = server.url + path.format(model="classifier", version=1, endpoint="x")
            if httpx.request(method, url, timeout=60).status_code != 401:
                found.add(path)
            assert (operation["security"] == []) == (path in found), (method, path)
    assert found == HEALTH | {path for path in paths if path.startswith(OPENED[opened])} - CHANGING
