"""HEAD of every route that has GET: the same status and headers, without the body (RFC 9110, 9.3.2)."""

import base64
import http.client
from collections.abc import Callable
from contextlib import closing

import pytest
from server import PASSWORD, USER, Server
from starlette.routing import Route

from rest_api.classifier_api import app

PATHS = sorted({route.path for route in app.routes if isinstance(route, Route) and "GET" in (route.methods or ())})
OTHERS = ["/vertex/health", "/docs/swagger-ui.css", "/models/nope", "/v2/models/nope", "/v1/models/nope", "/nope"]
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", AIP_HEALTH_ROUTE="/vertex/health", AIP_PREDICT_ROUTE="/vertex/predict")


def ask(server: Server, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and all bytes until the server closes the connection."""
    path = path.format(model="classifier", version=1)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, headers={**headers, "Connection": "close"})
        answer = connection.getresponse()
        rest = answer.fp.read() if method == "HEAD" else answer.read()  # what http.client would not look for
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, rest


@pytest.mark.parametrize("headers", [BASIC, {}], ids=["with credentials", "without"])
@pytest.mark.parametrize("path", [*PATHS, *OTHERS])
def test_head_is_get_without_the_body(server: Server, path: str, headers: dict[str, str]) -> None:
    status, told, body = ask(server, "GET", path, headers)
    seen, found, rest = ask(server, "HEAD", path, headers)
    assert (seen, rest) == (status, b"")
    changing = {"date", "x-request-id", *(["content-length"] if path.endswith(("/metrics", "/stats")) else [])}
    assert {k: v for k, v in found.items() if k not in changing} == {k: v for k, v in told.items() if k not in changing}
    assert body or path in ("/ping", "/health", "/vertex/health") or status == 307


@pytest.mark.parametrize("path", ["/predict", "/train_model", "/invocations", "/v2/models/classifier/infer"])
def test_a_route_without_get_has_no_head(server: Server, path: str) -> None:
    status, headers, rest = ask(server, "HEAD", path, BASIC)
    assert (status, headers["allow"], rest) == (405, "POST", b"")


def test_head_is_not_in_the_document(server: Server) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    assert not [path for path, operations in paths.items() if "head" in operations]
