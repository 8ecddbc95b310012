"""Guessing passwords: 20 wrong ones a minute from one address, counted over all workers. Others are not affected."""

import asyncio
import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx2 as httpx
import pytest
from pydantic import SecretStr
from server import PASSWORD, USER, Server, eventually
from starlette.types import Message, Receive, Scope, Send

from ML.config.config import Settings
from rest_api.protocols import enabled
from rest_api.security.access import Access
from rest_api.security.addresses import Proxies, network
from rest_api.security.guard import Guard
from rest_api.security.guesses import LIMIT, WINDOW, Guesses
from rest_api.security.throttle import SLOWEST, delay
from rest_api.server.extensions import CONNECTION
from rest_api.telemetry.request_log import LogEntry

BODY = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]})
MINUTE = WINDOW / 1000


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start two workers that trust proxies on 127.0.0.1 and in one loopback network."""
    return serve(WEB_CONCURRENCY="2", FORWARDED_ALLOW_IPS="127.0.0.1,127.77.0.0/16")


def request(password: str | None, path: str = "/models", *more: str) -> bytes:
    """Send a prediction if the path is that of a prediction, otherwise a GET."""
    head = [f"GET {path} HTTP/1.1"]
    if path == "/predict":
        head = ["POST /predict HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(BODY)}"]
    if password is not None:
        head.append(f"Authorization: Basic {b64encode(f'{USER}:{password}'.encode()).decode()}")
    text = "\r\n".join([*head, "Host: localhost", *more, "", ""])
    return (text + BODY * (path == "/predict")).encode()


class Caller:
    """Return a client on a new connection from this loopback address."""

    def __init__(self, server: Server, address: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), 30, source_address=(address, 0))

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def ask(self, password: str | None, path: str = "/models", *more: str) -> int:
        self.sock.sendall(request(password, path, *more))
        return self.read()[0]

    def read(self) -> tuple[int, str]:
        head, _, body = self.sock.recv(65536).partition(b"\r\n\r\n")
        length = next(int(line.split()[1]) for line in head.lower().splitlines() if line.startswith(b"content-length"))
        while len(body) < length:
            body += self.sock.recv(65536)
        return int(head.split()[1]), (head + body).decode()


def ask(server: Server, address: str, password: str | None, path: str = "/models", *more: str) -> int:
    """Return the status of a request on a new connection."""
    with Caller(server, address) as caller:
        return caller.ask(password, path, *more)


def guess(server: Server, address: str, times: int, path: str = "/models", *more: str) -> list[int]:
    """Return the statuses of concurrent wrong passwords, each on a new connection. `{n}` is replaced by its number."""
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(server, address)) for _ in range(times)]
        for n, caller in enumerate(callers):
            caller.sock.sendall(request(f"guess {n}", path, *(line.format(n=n) for line in more)))
        return [caller.read()[0] for caller in callers]


@pytest.mark.parametrize(("address", "path"), [("127.0.1.1", "/models"), ("127.0.1.2", "/predict")])
def test_after_20_wrong_passwords_every_worker_refuses_the_address(server: Server, address: str, path: str) -> None:
    assert guess(server, address, LIMIT, path) == [401] * LIMIT
    assert guess(server, address, 30, path) == [429] * 30
    # The right one isn't told from a wrong one.
    assert [ask(server, address, PASSWORD, path) for path in ("/models", "/predict") * 5] == [429] * 10
    with Caller(server, address) as caller:
        caller.sock.sendall(request(PASSWORD))
        status, text = caller.read()
    assert status == 429 and "Too many wrong passwords" in text and "connection: close" in text
    wait = next(int(line.split(": ")[1]) for line in text.splitlines() if line.startswith("retry-after"))
    assert MINUTE - 30 < wait <= MINUTE and f"{wait} s" in text


def test_others_are_unharmed(server: Server) -> None:
    with Caller(server, "127.0.2.1") as before, Caller(server, "127.0.2.1") as idle:
        assert [before.ask(PASSWORD, "/predict") for _ in range(3)] == [200] * 3
        assert guess(server, "127.0.2.1", LIMIT + 20).count(401) >= LIMIT
        for path in ("/predict", "/models", "/predict"):
            assert [before.ask(PASSWORD, path) for _ in range(3)] == [200] * 3
        # A connection that was open before, but has proven nothing, is no way in.
        assert idle.ask(None, "/health/live") == 200
        assert idle.ask(PASSWORD, "/predict") == 429
    assert {ask(server, "127.0.2.2", PASSWORD, path) for path in ("/models", "/predict")} == {200}
    assert server.client.get("/models").status_code == 200


def test_a_blocked_address_can_still_read_public_routes(server: Server) -> None:
    guess(server, "127.0.3.1", LIMIT)
    assert ask(server, "127.0.3.1", PASSWORD) == 429
    for path in ("/health/live", "/health/ready", "/docs"):
        for password in (None, "wrong", PASSWORD):
            assert ask(server, "127.0.3.1", password, path) == 200
    assert ask(server, "127.0.3.1", None) == 401


def test_a_request_without_credentials_is_no_guess(server: Server) -> None:
    assert {ask(server, "127.0.4.1", None) for _ in range(2 * LIMIT)} == {401}
    assert {ask(server, "127.0.4.1", "wrong", "/health/live") for _ in range(2 * LIMIT)} == {200}
    assert ask(server, "127.0.4.1", PASSWORD) == 200


def test_however_many_guesses_come_at_once_20_are_looked_at(server: Server) -> None:
    assert guess(server, "127.0.9.1", 100).count(401) == LIMIT


def test_a_right_password_does_not_reset_the_count(server: Server) -> None:
    for _ in range(2):
        assert guess(server, "127.0.5.1", LIMIT // 2) == [401] * (LIMIT // 2)
        last = ask(server, "127.0.5.1", PASSWORD)
    assert last == 429


def test_wrong_passwords_are_answered_slowly_and_others_are_served_meanwhile(server: Server) -> None:
    with Caller(server, "127.0.6.1") as slow, Caller(server, "127.0.6.2") as other:
        other.ask(PASSWORD, "/predict")
        started = time.monotonic()
        slow.sock.sendall(request("wrong", "/predict"))
        slow.sock.settimeout(0.05)
        assert other.ask(PASSWORD, "/predict") == 200
        with pytest.raises(TimeoutError):
            slow.read()
        slow.sock.settimeout(30)
        assert slow.read()[0] == 401
        assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize(("proxy", "client"), [("127.0.0.1", "203.0.113.7"), ("127.77.0.5", "2001:db8:1:2::7")])
def test_the_clients_of_a_trusted_proxy_are_distinguished(server: Server, proxy: str, client: str) -> None:
    guilty, other = f"X-Forwarded-For: {client}", "X-Forwarded-For: 203.0.113.8"
    ported = f"[{client}]:5040" if ":" in client else f"{client}:5040"
    half = LIMIT // 2
    # Hot requests and others count together, whatever a client put before the address that the proxy saw.
    assert guess(server, proxy, half, "/predict", guilty) == [401] * half
    assert guess(server, proxy, half, "/models", f"X-Forwarded-For: 198.51.100.1, {ported}") == [401] * half
    for path in ("/predict", "/models"):
        assert ask(server, proxy, PASSWORD, path, guilty) == 429
        assert ask(server, proxy, PASSWORD, path, f"X-Forwarded-For: 203.0.113.8, {client}") == 429
        assert ask(server, proxy, PASSWORD, path, "X-Forwarded-For: 203.0.113.8", guilty) == 429
        assert ask(server, proxy, PASSWORD, path, f"X-Forwarded-For: {client}, 127.0.0.1") == 429
        assert ask(server, proxy, PASSWORD, path, other) == 200
        assert ask(server, proxy, PASSWORD, path) == 200
    # One connection of a proxy carries several clients' requests.
    with Caller(server, proxy) as shared:
        assert shared.ask(PASSWORD, "/predict", other) == 200
        assert shared.ask(PASSWORD, "/predict", guilty) == 429


def test_an_untrusted_client_can_not_name_another_address(server: Server) -> None:
    for path in ("/predict", "/models"):
        found = guess(server, "127.0.7.1", LIMIT // 2, path, "X-Forwarded-For: 203.0.113.10{n}")
        assert found == [401] * (LIMIT // 2)
    for path in ("/predict", "/models"):
        assert ask(server, "127.0.7.1", PASSWORD, path, "X-Forwarded-For: 203.0.113.250") == 429
        assert ask(server, "127.0.0.1", PASSWORD, path, "X-Forwarded-For: 203.0.113.100") == 200


def test_refusals_are_counted_by_their_reason(server: Server) -> None:
    guess(server, "127.0.8.1", LIMIT + 1)
    server.client.get("/models", headers={"host": "evil.example"})
    server.client.post("/predict", headers={"origin": "https://evil.example"})

    def counted() -> bool:
        text = server.client.get("/metrics").text
        return all(f'fast_ml_refused_total{{reason="{why}"}}' in text for why in ("guesses", "host", "origin"))

    assert eventually(counted)
    assert server.log.count("Blocked '127.0.8.1' for 60 s") == 1


def test_a_browser_is_still_asked_for_the_password(server: Server) -> None:
    answer = httpx.get(f"{server.url}/models")
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic ")


def through_the_guard(connection: dict[str, Any], password: str, *more: tuple[bytes, bytes]) -> int:
    """Return the status that the guard gives a request on this connection, or 200 if the request passes."""
    return asyncio.run(_through(connection, password, list(more)))


async def _through(connection: dict[str, Any], password: str, more: list[tuple[bytes, bytes]]) -> int:
    statuses = [200]

    async def send(message: Message) -> None:
        statuses.append(message.get("status", statuses[-1]))

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    token = b64encode(f"{USER}:{password}".encode())
    scope = {"type": "http", "method": "GET", "path": "/models", "client": ("192.0.2.1", 1), "log": LogEntry("1")}
    scope |= {"headers": [(b"authorization", b"Basic " + token), *more], "extensions": {CONNECTION: connection}}
    await GUARD(scope, receive, send)
    return statuses[-1]


async def passed(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind the guard."""


SETTINGS = Settings(service_pass=SecretStr(PASSWORD), forwarded_allow_ips=("192.0.2.1",))
GUARD = Guard(passed, SETTINGS, Access.of(False, set(), set()), enabled.error)


def test_a_connection_goes_on_with_the_credentials_and_the_client_that_it_has_proven() -> None:
    before: dict[str, Any] = {}
    one, other = (b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-for", b"198.51.100.2")
    assert through_the_guard(before, PASSWORD, one) == 200
    for client in (one, other):
        address = network(client[1].decode())
        for _ in range(LIMIT):
            GUARD.throttle.guesses.add(address)
    assert through_the_guard(before, PASSWORD, one) == 200
    assert through_the_guard(before, "wrong", one) == 429
    assert through_the_guard({}, PASSWORD, one) == 429
    # The proxy's next client, over the same connection.
    assert through_the_guard(before, PASSWORD, other) == 429
    assert through_the_guard(before, PASSWORD, one) == 200
    assert through_the_guard({}, PASSWORD, (b"x-forwarded-for", b"198.51.100.3")) == 200


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_blocked_for_a_minute_and_no_longer() -> None:
    clock = Clock()
    guesses = Guesses(clock=clock)
    assert [guesses.add(b"a") for _ in range(LIMIT - 1)] == list(range(1, LIMIT))
    assert not guesses.any_blocked and not guesses.blocked(b"a")
    clock.now += 1
    guesses.add(b"a")
    assert guesses.any_blocked and guesses.blocked(b"a") == MINUTE and not guesses.blocked(b"b")
    clock.now += MINUTE - 0.5
    assert guesses.any_blocked and guesses.blocked(b"a") == 1
    guesses.add(b"a")  # another worker was just about to; this does not make it longer
    clock.now += 0.5
    assert not guesses.any_blocked and not guesses.blocked(b"a")
    assert guesses.add(b"a") == 1


def test_each_answer_to_a_wrong_password_is_slower_up_to_half_a_second() -> None:
    delays = [delay(count) for count in range(1, 100)]
    assert delays == sorted(delays) and delays[0] >= 0.1 and delays[-1] == SLOWEST <= 0.5


def test_few_wrong_passwords_a_minute_never_block() -> None:
    clock = Clock()
    guesses = Guesses(clock=clock)
    for _ in range(500):
        guesses.add(b"a script with an old password")
        clock.now += MINUTE / (LIMIT - 1) + 0.01
        assert not guesses.any_blocked


def test_many_addresses_neither_take_memory_nor_count_for_each_other_nor_unblock_one() -> None:
    guesses = Guesses(clock=Clock())
    size = guesses.size
    for _ in range(LIMIT):
        guesses.add(b"guilty")
    others = [b"address %d" % n for n in range(10_000)]
    for _ in range(LIMIT - 1):
        for other in others:
            guesses.add(other)
    assert guesses.blocked(b"guilty") and not any(map(guesses.blocked, others))
    assert guesses.size == size < 2**20


def test_a_full_table_forgets_but_never_blames_another() -> None:
    guesses = Guesses(buckets=1, clock=Clock())
    blamed = 0
    for n in range(2000):
        for _ in range(LIMIT - 1):
            guesses.add(b"%d" % n)
        blamed += bool(guesses.blocked(b"%d" % n))
    assert not blamed and not guesses.any_blocked


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("127.0.0.1", "127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("127.0.0.1", "127.0.0.1", "1.1.1.1, 2.2.2.2", "2.2.2.2"),
        ("127.0.0.1", "127.0.0.1", "1.1.1.1,, ,", "1.1.1.1"),
        ("127.0.0.1", "127.0.0.2", "1.1.1.1", "127.0.0.2"),
        ("127.0.0.1", "", "1.1.1.1", ""),
        ("127.0.0.1", "::ffff:127.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("127.0.0.1", "127.0.0.1", "unknown", "unknown"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8,2001:db8::/32", "10.1.2.3", "1.1.1.1, 10.9.9.9, [2001:db8::5]:80", "1.1.1.1"),
        ("10.0.0.0/8", "10.1.2.3", "10.7.7.7, 10.9.9.9", "10.7.7.7"),
        ("10.0.0.0/8", "10.1.2.3", "2001:db8::1", "2001:db8::1"),
        ("*", "9.9.9.9", "1.1.1.1, 2.2.2.2:99", "2.2.2.2"),
        ("*", "", "1.1.1.1", "1.1.1.1"),
        ("127.0.0.1", "127.0.0.1", ",".join(["127.0.0.1"] * 6000), "127.0.0.1"),
    ],
)
def test_the_clients_address_is_taken_from_trusted_headers(
    trusted: str, peer: str, forwarded: str, client: str
) -> None:
    assert Proxies(tuple(trusted.split(","))).client(peer, forwarded.encode()) == client


def test_a_network_of_ipv6_is_one_client() -> None:
    assert network("2001:db8:0:1::1") == network("2001:db8:0:1:ffff::2") != network("2001:db8:0:2::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1") != network("192.0.2.2")
    assert len({network(each) for each in ("", "unknown", "1.2.3.4", "::1")}) == 4
