"""The Host header: a foreign name that resolves to this server (DNS rebinding) is refused on every route."""

import socket
from collections.abc import Callable

import httpx2 as httpx
import pytest
from server import PASSWORD, USER, Server

from ML.config.config import Settings
from rest_api.security.hosts import MAX_BYTES, MAX_VERDICTS, Hosts

LOCAL = [
    "localhost", "LOCALHOST:80", "localhost.", "api.localhost:8000", "127.0.0.1", "127.0.0.1:65535", "127.8.9.10",
    "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "127.0.0.1:",
]  # fmt: skip
FOREIGN = [
    "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost", "x",
    "128.0.0.1", "192.168.1.7:8000", "0.0.0.0", "[2001:db8::1]", "[::2]", "127.1", "127.0.0.256", "2130706433",
]  # fmt: skip
GARBAGE = [
    "", " ", "local host", "localhost:x", "localhost:80:80", "localhost@evil.example", "evil.example@localhost",
    "http://localhost", "localhost/", "localhost#", "localhost?x", "[::1", "::1", "[::1]x", "[localhost]", "a..b",
    ".localhost", ".", ":80", "local,host", "localhost, localhost", "l\u00f6calhost", "localhost\\x", "%6cocalhost",
    "*", "[127.0.0.1]",
    "localhost:999999", "a" * 300,
]  # fmt: skip


def status(server: Server, host: str, path: str = "/health/live") -> int:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1"))
        return int(sock.recv(65536).split(b" ")[1])


@pytest.mark.parametrize("host", LOCAL)
def test_a_loopback_server_answers_to_loopback_names(server: Server, host: str) -> None:
    assert status(server, host) == 200


@pytest.mark.parametrize("host", FOREIGN + GARBAGE)
def test_a_loopback_server_answers_to_no_other_name(server: Server, host: str) -> None:
    assert status(server, host) == 400


def test_it_is_refused_on_every_route_before_credentials_with_the_remedy(server: Server) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    found = [(method, path) for path in paths for method in paths[path]]
    for method, path in [*found, ("get", "/"), ("get", "/docs"), ("get", "/openapi.json"), ("post", "/nope")]:
        url = server.url + path.format(model="classifier", version=9, endpoint="e")
        for auth in ((USER, PASSWORD), (USER, "wrong"), None):
            answer = httpx.request(method, url, headers={"host": "evil.example:81"}, auth=auth)
            assert answer.status_code == 400, (method, path)
            assert "evil.example" in answer.text and "ALLOWED_HOSTS" in answer.text


def test_a_body_is_not_awaited(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(b"POST /train_model HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000000\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", [*LOCAL, *FOREIGN, "[2001:DB8::1]:8000"])
def test_a_server_for_everybody_answers_to_any_name(everybody: Server, host: str) -> None:
    assert status(everybody, host) == 200


@pytest.mark.parametrize("host", GARBAGE)
def test_an_invalid_host_name_is_always_refused(everybody: Server, host: str) -> None:
    assert status(everybody, host) == 400


@pytest.fixture(scope="module")
def everybody(serve: Callable[..., Server]) -> Server:
    return serve(HOST="0.0.0.0", BOOTSTRAP="false", WEB_CONCURRENCY="1")


@pytest.fixture(scope="module")
def named(serve: Callable[..., Server]) -> Server:
    """Start a server on all addresses with these allowed names. The last one is an address."""
    names = "api.example.org, .Inner.example,*.apps.example,[2001:db8::7]"
    return serve(HOST="0.0.0.0", ALLOWED_HOSTS=names, BOOTSTRAP="false", WEB_CONCURRENCY="1")


@pytest.mark.parametrize(
    ("host", "found"),
    [
        *((host, 200) for host in LOCAL),
        *((host, 400) for host in [*FOREIGN, *GARBAGE]),
        ("api.example.org", 200), ("API.Example.org.:8080", 200), ("www.api.example.org", 400), ("example.org", 400),
        ("inner.example", 200), ("a.b.inner.example:1", 200), ("notinner.example", 400),
        ("x.apps.example", 200), ("apps.example", 400), ("xapps.example", 400),
        ("[2001:db8:0::7]:8000", 200), ("[2001:db8::8]", 400), ("api.example.org.evil.example", 400),
    ],
)  # fmt: skip
def test_allowed_hosts_are_the_given_names_and_the_loopback_names(named: Server, host: str, found: int) -> None:
    assert status(named, host) == found


def test_any_host_may_be_allowed_on_a_loopback_address(serve: Callable[..., Server]) -> None:
    server = serve(ALLOWED_HOSTS="*", BOOTSTRAP="false", WEB_CONCURRENCY="1")
    assert status(server, "anything.example") == 200 and status(server, "any thing") == 400


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("ml.example.org", False)],
)  # fmt: skip
def test_without_allowed_hosts_the_listening_address_decides(host: str, loopback: bool) -> None:
    assert (b"evil.example" in Hosts(Settings(host=host))) is not loopback
    assert b"localhost:8000" in Hosts(Settings(host=host))


def test_verdicts_that_are_kept_are_few_and_short() -> None:
    hosts = Hosts(Settings(host="0.0.0.0"))
    assert all(b"%d.example" % n in hosts for n in range(3 * MAX_VERDICTS))
    assert b"x" * 60_000 not in hosts
    assert len(hosts.verdicts) <= MAX_VERDICTS and max(map(len, hosts.verdicts)) <= MAX_BYTES
