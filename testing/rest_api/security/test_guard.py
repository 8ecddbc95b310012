"""The guard checks credentials and size before a byte of the body is read."""

import base64
import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from server import PASSWORD, USER, Server

GIGABYTE = 10**9
ASSETS = {f"/docs/{name}" for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")}
PUBLIC = {"/", "/docs", "/openapi.json", "/health/live", "/health/ready"} | ASSETS
OPEN_ROUTE = """

@models.get("/secret")
def secret() -> str:
    return "secret"


app = create_app(trainings, hot, models, health)
"""


@pytest.fixture(scope="module")
def stranger(server: Server) -> Iterator[httpx.Client]:
    """Return a client without credentials."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def routes(server: Server) -> list[tuple[str, str]]:
    paths = server.client.get("/openapi.json").json()["paths"]
    return [
        (method, path.format(model="classifier", version=1, endpoint="e"))
        for path, methods in paths.items()
        for method in methods
    ]


def test_every_route_but_health_and_docs_is_closed(server: Server, stranger: httpx.Client) -> None:
    for method, path in routes(server):
        assert stranger.request(method, path).status_code == (200 if path in PUBLIC else 401), (method, path)
    for path in PUBLIC - {"/"}:
        assert stranger.get(path).status_code == 200, path
    for path in ("/nope", "/docs/", "/docs/../models", "/health", "/openapi.json/", "//docs", "/docs/swagger-ui.css/x"):
        assert stranger.get(server.url + path).status_code in (401, 307, 404), path
    assert stranger.post("/docs").status_code == 401


def test_a_route_added_without_a_word_is_closed(fork: Callable[..., Path], serve: Callable[..., Server]) -> None:
    project = fork()
    routes = project / "rest_api" / "classifier_api.py"
    routes.write_text(routes.read_text().replace("\n\napp = create_app(trainings, hot, models, health)\n", OPEN_ROUTE))
    server = serve(project, BOOTSTRAP="false", WEB_CONCURRENCY="1")
    assert httpx.get(f"{server.url}/secret").status_code == 401
    assert server.client.get("/secret").json() == "secret"


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", f"Bearer {PASSWORD}", "Basic " + base64.b64encode(b"admin:").decode(),
     "Basic " + base64.b64encode(b"admin:wrong").decode(), "Basic " + base64.b64encode(PASSWORD.encode()).decode()],
)  # fmt: skip
def test_wrong_credentials_are_401_with_the_scheme_to_use(stranger: httpx.Client, header: str) -> None:
    answer = stranger.post("/predict", content="{}", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert "SERVICE_USER" in answer.json()["detail"]
    assert answer.headers["x-request-id"]


def test_the_scheme_may_be_in_any_case(server: Server, stranger: httpx.Client) -> None:
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert stranger.get("/models", headers={"authorization": f"bAsIc {token}"}).status_code == 200


def test_a_password_that_is_not_ascii_is_taken_in_both_encodings(serve: Callable[..., Server]) -> None:
    server = serve(SERVICE_PASS="Schlüssel", BOOTSTRAP="false", WEB_CONCURRENCY="1")
    for encoding in ("utf-8", "latin-1"):
        token = base64.b64encode("admin:Schlüssel".encode(encoding)).decode()
        assert httpx.get(f"{server.url}/models", headers={"authorization": f"Basic {token}"}).status_code == 200
    token = base64.b64encode(b"admin:Schl?ssel").decode()
    assert httpx.get(f"{server.url}/models", headers={"authorization": f"Basic {token}"}).status_code == 401


def refused_upload(server: Server, password: str, **headers: str) -> tuple[int, float, int]:
    """Start to send a gigabyte. Return the status, the seconds until it came, and the size of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("POST", "/train_model")
    token = base64.b64encode(f"{USER}:{password}".encode()).decode()
    for name, value in {
        "Authorization": f"Basic {token}",
        "Content-Type": "multipart/form-data; boundary=x",
        **headers,
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    started = time.monotonic()
    connection.sock.sendall(b"x" * 1000)
    answer = connection.getresponse()
    found = answer.status, time.monotonic() - started, len(answer.read())
    connection.close()
    return found


@pytest.mark.exclusive
@pytest.mark.parametrize(("password", "status"), [("wrong", 401), (PASSWORD, 413)])
def test_a_gigabyte_is_refused_before_it_arrives(server: Server, password: str, status: int) -> None:
    found, seconds, _ = refused_upload(server, password, **{"Content-Length": str(GIGABYTE)})
    assert found == status
    assert seconds < 1


def test_a_client_that_sends_it_all_still_reads_the_answer(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(300):
            yield b"x" * 2**20

    headers = {"Content-Length": str(300 * 2**20)}
    assert (
        httpx.post(f"{server.url}/train_model", content=endless(), headers=headers, auth=(USER, "no")).status_code
        == 401
    )


def test_a_body_without_a_length_is_cut_off_at_the_limit(serve: Callable[..., Server]) -> None:
    server = serve(MAX_BODY_MB="1", BOOTSTRAP="false", WEB_CONCURRENCY="1")

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 2**16

    answer = server.client.post("/predict", content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code in (413, 503), answer.text
    server.train("a,b\n" + "1,x\n2,y\n" * 20, "b").raise_for_status()
    answer = server.client.post("/predict", content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 413, answer.text
    assert "MAX_BODY_MB" in answer.json()["detail"]


def test_a_zip_bomb_is_refused(server: Server) -> None:
    import gzip

    answer = server.predict_csv(gzip.compress(b"a,b\n" + b"1,2\n" * 60_000_000, 9))
    assert answer.status_code == 413
    assert "when unpacked" in answer.json()["detail"]


def test_docs_may_be_closed_and_cors_opened(serve: Callable[..., Server]) -> None:
    server = serve(
        DOCS_PUBLIC="false", CORS_ORIGINS="https://a.example,https://b.example", BOOTSTRAP="false", ROOT_PATH="/ml"
    )
    for path in ("/docs", "/openapi.json", "/ml/docs", "/"):
        assert httpx.get(server.url + path).status_code == 401, path
    assert httpx.get(f"{server.url}/ml/health/live").status_code == 200
    assert '"/ml/openapi.json"' in server.client.get("/docs").text.replace("'", '"')
    assert server.client.get("/openapi.json").json()["servers"] == [{"url": "/ml"}]
    asked: Any = {
        "Origin": "https://b.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    allowed = httpx.options(f"{server.url}/predict", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://b.example"
    assert (
        "access-control-allow-origin"
        not in httpx.options(f"{server.url}/predict", headers=asked | {"Origin": "https://c.example"}).headers
    )


def test_a_hot_route_refuses_what_it_would_not_run() -> None:
    from fastapi import Depends, Request, Response

    from rest_api.http.routes import HotRoute

    def who() -> str:
        return "anybody"

    async def guarded(request: Request, user: str = Depends(who)) -> Response:
        return Response(user)

    with pytest.raises(TypeError, match="would never run"):
        HotRoute("/x", guarded)
