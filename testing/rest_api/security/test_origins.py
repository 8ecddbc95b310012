"""Browsers' requests from other sites are refused before credentials and body. All other requests pass."""

import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest
from server import PASSWORD, USER, Server

ROW = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
TOKEN = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
PARTNER = "https://partner.example"


@pytest.fixture(scope="module")
def stranger(server: Server) -> Iterator[httpx.Client]:
    """Return a client without credentials."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def predict(server: Server, **headers: str) -> httpx.Response:
    return server.client.post("/predict", json=ROW, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:{port}"},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1:{port}1"},
        {"origin": "http://127.0.0.1:{port}.evil.example"},
        {"origin": "http://127.0.0.1:{port}@evil.example"},
        {"origin": "http://evil.example/127.0.0.1:{port}"},
        {"origin": "http://127.0.0.1:{port}/"},
        {"origin": "127.0.0.1:{port}"},
        {"origin": "file://"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "whatever"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:{port}"},
        {"sec_fetch_site": "same-site", "origin": "http://localhost:1"},
    ],
)
def test_a_foreign_page_is_refused_with_the_setting_that_would_allow_it(server: Server, headers: dict) -> None:
    headers = {name: value.format(port=server.port) for name, value in headers.items()}
    answer = predict(server, **headers)
    assert answer.status_code == 403, answer.text
    assert "CORS_ORIGINS" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:{port}"},
        {"origin": "https://127.0.0.1:{port}"},  # a proxy in front ended TLS
        {"origin": "http://api.localhost:81", "host": "API.localhost:81"},
        {"origin": "http://api.localhost", "host": "api.localhost:80"},
        {"origin": "https://api.localhost", "host": "api.localhost"},
        {"origin": "https://api.localhost:443", "host": "api.localhost"},
        {"origin": "http://[::1]:8000", "host": "[::1]:8000"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin", "origin": "https://public.example"},  # a proxy in front changed Host
    ],
)
def test_own_pages_and_clients_that_are_no_browsers_go_on(server: Server, headers: dict) -> None:
    headers = {name: value.format(port=server.port) for name, value in headers.items()}
    assert predict(server, **headers).status_code == 200


def test_every_route_that_changes_or_computes_something_is_refused_to_a_foreign_page(
    server: Server, stranger: httpx.Client
) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    asked = [(method, path) for path, methods in paths.items() for method in methods if method != "get"]
    assert len(asked) > 9
    for method, path in [*asked, ("post", "/nope"), ("patch", "/docs"), ("trace", "/"), ("delete", "/health/live")]:
        url = path.format(model="classifier", version=999, endpoint="e")
        for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
            # Before credentials too: a foreign page does not even learn that it would have to send some.
            for client in (server.client, stranger):
                assert client.request(method, url, headers=headers).status_code == 403, (method, path, headers)


def test_reading_is_open_to_links_from_other_sites(server: Server) -> None:
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    for method, path, status in (("GET", "/models", 200), ("GET", "/docs", 200), ("OPTIONS", "/models", 405)):
        assert server.client.request(method, path, headers=foreign).status_code == status


def raw(server: Server, *lines: str, length: int = 10**9) -> bytes:
    """Return the answer to an authenticated POST with these header lines, before any of the body is sent."""
    head = ["POST /train_model HTTP/1.1", f"Authorization: Basic {TOKEN}", f"Content-Length: {length}", *lines, "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall("\r\n".join(head).encode())
        return sock.recv(65536)


def test_a_header_that_is_sent_twice_does_not_slip_by(server: Server) -> None:
    host, own = f"Host: 127.0.0.1:{server.port}", f"Origin: http://127.0.0.1:{server.port}"
    evil = "Origin: http://evil.example"
    sites = "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"
    for lines in ((own, evil), (evil, own), sites, sites[::-1]):
        assert raw(server, host, *lines).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 ")), lines
    for line in (evil, evil.upper()):
        assert raw(server, host, line).startswith(b"HTTP/1.1 403 "), line


@pytest.fixture(scope="module")
def partner(serve: Callable[..., Server]) -> Server:
    return serve(CORS_ORIGINS=PARTNER, WEB_CONCURRENCY="1")


def test_pages_of_cors_origins_go_on_and_no_others(partner: Server) -> None:
    for site in ({}, {"sec_fetch_site": "cross-site"}):
        answer = predict(partner, origin=PARTNER, **site)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PARTNER)
        for other in ("https://partner.example.evil", "http://partner.example", f"{PARTNER}:444", "null"):
            assert predict(partner, origin=other, **site).status_code == 403
    assert predict(partner, sec_fetch_site="cross-site").status_code == 403
    asked: Any = {"Origin": PARTNER, "Access-Control-Request-Method": "PUT", "Sec-Fetch-Site": "cross-site"}
    assert httpx.options(f"{partner.url}/models/classifier/current", headers=asked).status_code == 200
    both = raw(partner, f"Host: 127.0.0.1:{partner.port}", f"Origin: {PARTNER}", "Origin: http://evil.example")
    assert both.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))


def test_any_origin_does_not_mean_that_any_form_has_the_users_credentials(serve: Callable[..., Server]) -> None:
    server = serve(CORS_ORIGINS="*", WEB_CONCURRENCY="1", OPEN_PROTOCOLS="kserve")
    foreign = {"origin": "https://any.example", "sec_fetch_site": "cross-site"}
    # A browser asks first whether it may send JSON, and is told: without credentials of its own.
    assert predict(server, **foreign).status_code == 200
    sent = {name.replace("_", "-"): value for name, value in foreign.items()}
    for forms in ("multipart/form-data; boundary=x", "text/plain", "Application/X-WWW-Form-URLencoded", None):
        typed = sent | ({"content-type": forms} if forms else {})
        answer = server.client.post("/train_model", content=b"x", headers=typed)
        assert answer.status_code == 403 and "CORS_ORIGINS" in answer.json()["detail"], forms
    # Without credentials there is nothing to misuse: the route itself refuses, or is open.
    assert httpx.post(f"{server.url}/train_model", headers=sent).status_code == 401
    opened = f"{server.url}/v1/models/classifier:predict"
    assert httpx.post(opened, content=b"{}", headers=sent | {"content-type": "text/plain"}).status_code not in (
        401,
        403,
    )
