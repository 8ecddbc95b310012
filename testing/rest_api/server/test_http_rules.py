"""Requests that HTTP (RFC 9110, 9112) forbids are refused and the connection closed, to prevent request smuggling."""

import json
import re
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from server import PASSWORD, USER, Server, eventually

CREDENTIALS = f"Authorization: Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}\r\n"
WRONG = f"Authorization: Basic {b64encode(b'admin:wrong').decode()}\r\n"
HOST = "Host: localhost\r\n"
JSON = "Content-Type: application/json\r\n"
BODY = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]})
LENGTH = f"Content-Length: {len(BODY)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
CHUNKS = f"{len(BODY):x}\r\n{BODY}\r\n0\r\n"
SECOND = f"GET /models HTTP/1.1\r\n{HOST}{CREDENTIALS}\r\n"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", WRITE_TIMEOUT="2")


def post(*headers: str, line: str = "POST /predict HTTP/1.1", host: str = HOST) -> str:
    return f"{line}\r\n{host}{JSON}{''.join(headers)}\r\n"


def talk(server: Server, *parts: str | bytes) -> list[bytes]:
    """Send these bytes and read until the server closes. Return the answers, and 'open' last if it doesn't close."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        found = b""
        with suppress(ConnectionError):
            for part in parts:
                sock.sendall(part if isinstance(part, bytes) else part.encode())
            sock.settimeout(5)
            try:
                while data := sock.recv(65536):
                    found += data
            except TimeoutError:
                found += b"HTTP/1.1 open"
    return re.split(rb"HTTP/1\.1 (?=\d{3} |open)", found)[1:]


def statuses(answers: list[bytes]) -> list[str]:
    return [answer[:4].decode().strip() for answer in answers]


FORBIDDEN = {
    "other coding": (501, post(CREDENTIALS, "Transfer-Encoding: gzip, chunked\r\n") + CHUNKS + "\r\n"),
    "other coding in two lines": (501, post(CREDENTIALS, "Transfer-Encoding: gzip\r\n", CHUNKED) + CHUNKS + "\r\n"),
    "coding not last": (400, post(CREDENTIALS, "Transfer-Encoding: chunked, gzip\r\n") + CHUNKS + "\r\n"),
    "chunked twice": (400, post(CREDENTIALS, "Transfer-Encoding: chunked, chunked\r\n") + CHUNKS + "\r\n"),
    "identity": (400, post(CREDENTIALS, "Transfer-Encoding: identity\r\n", LENGTH) + BODY),
    "coding and length": (400, post(CREDENTIALS, CHUNKED, LENGTH) + CHUNKS + "\r\n"),
    "coding in HTTP/1.0": (400, post(CREDENTIALS, CHUNKED, line="POST /predict HTTP/1.0") + CHUNKS + "\r\n"),
    "no host": (400, post(CREDENTIALS, LENGTH, host="") + BODY),
    "two hosts": (400, post(CREDENTIALS, LENGTH, host=HOST + HOST) + BODY),
    "HTTP/0.9": (505, post(CREDENTIALS, LENGTH, line="POST /predict HTTP/0.9") + BODY),
    "HTTP/2.0": (505, post(CREDENTIALS, LENGTH, line="POST /predict HTTP/2.0") + BODY),
    "HTTP/3.7": (505, post(CREDENTIALS, LENGTH, line="POST /predict HTTP/3.7") + BODY),
    "no version": (505, "GET /health/live\r\n\r\n"),
    "wrong, then right credentials": (400, post(WRONG, CREDENTIALS, LENGTH) + BODY),
    "right, then wrong credentials": (400, post(CREDENTIALS, WRONG, LENGTH) + BODY),
    "two content types": (400, post(CREDENTIALS, "Content-Type: text/csv\r\n", LENGTH) + BODY),
    "two lengths": (400, post(CREDENTIALS, LENGTH, LENGTH) + BODY),
    "zeros before the length": (400, post(CREDENTIALS, f"Content-Length: 00{len(BODY)}\r\n") + BODY),
    "signed length": (400, post(CREDENTIALS, f"Content-Length: +{len(BODY)}\r\n") + BODY),
    "other expectation": (417, post(CREDENTIALS, LENGTH, "Expect: the unexpected\r\n")),
    "two expectations": (400, post(CREDENTIALS, LENGTH, "Expect: 100-continue\r\n", "Expect: x\r\n")),
    "CONNECT": (501, f"CONNECT localhost:80 HTTP/1.1\r\n{HOST}{CREDENTIALS}\r\n"),
    "no method": (400, f"\x16\x03\x01 HTTP/1.1\r\n{HOST}\r\n"),
    "a target of 70 KB": (431, f"GET /{'x' * 70_000} HTTP/1.1\r\n{HOST}{CREDENTIALS}\r\n"),
    "headers of 70 KB": (431, f"GET /models HTTP/1.1\r\n{HOST}{CREDENTIALS}{'X: y' * 17_500}\r\n\r\n"),
    "a broken chunk": (400, post(CREDENTIALS, CHUNKED) + "zz\r\n"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_request_that_http_forbids_is_refused_and_nothing_after_it_is_run(server: Server, name: str) -> None:
    status, request = FORBIDDEN[name]
    answers = talk(server, request + SECOND)
    assert statuses(answers) == [str(status)], answers
    head, _, body = answers[0].partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower()
    assert list(json.loads(body)) == ["detail"]


def test_a_refusal_comes_after_the_answers_to_the_requests_before(server: Server) -> None:
    good = post(CREDENTIALS, LENGTH) + BODY
    answers = talk(server, good + good + FORBIDDEN["two hosts"][1] + good)
    assert statuses(answers) == ["200", "200", "400"]


def test_trailers_are_not_headers(server: Server) -> None:
    """Trailers change neither credentials nor content type, wherever the stream is split."""
    trailers = f"{CREDENTIALS}Content-Type: application/json\r\n\r\n"
    for cut in (0, 10, len(CHUNKS) - 1):
        request = post(CHUNKED) + CHUNKS[:cut]
        assert statuses(talk(server, request, CHUNKS[cut:] + trailers)) == ["401"]
    untyped = f"POST /predict HTTP/1.1\r\n{HOST}{CREDENTIALS}{CHUNKED}Connection: close\r\n\r\n"
    assert statuses(talk(server, untyped + CHUNKS + trailers)) == ["415"]
    typed = post(CREDENTIALS, CHUNKED, "Connection: close\r\n")
    assert statuses(talk(server, typed + CHUNKS + "X-Checksum: 1\r\n\r\n")) == ["200"]


@pytest.mark.parametrize("credentials", [CREDENTIALS, ""], ids=["with credentials", "without"])
@pytest.mark.parametrize("line", ["X: " + "y" * 1000 + "\r\n", "X" * 1000], ids=["whole lines", "one line"])
def test_a_flood_of_trailers_is_cut_off(server: Server, credentials: str, line: str) -> None:
    status = _peak_growth(server, post(credentials, CHUNKED) + CHUNKS, line.encode() * 100, 400)
    assert status in (431 if credentials else 401, 0)  # 0: the connection was reset while the flood was on its way


def test_a_flood_of_chunk_extensions_is_cut_off(server: Server) -> None:
    assert _peak_growth(server, post(CREDENTIALS, CHUNKED) + "1;", b"x" * 100_000, 400) in (431, 0)


def _peak_growth(server: Server, begin: str, flood: bytes, times: int) -> int:
    """Send 40 MB and return the status. Fails if the server reads much of it, or the worker grows by 20 MB."""
    memory = Path(f"/proc/{server.workers[0]}/statm")
    before, sent, answer = int(memory.read_text().split()[1]), 0, b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock, suppress(OSError):
        sock.sendall(begin.encode())
        for _ in range(times):
            sock.sendall(flood)
            sent += len(flood)
        answer = sock.recv(65536)
    assert sent < 30_000_000
    assert 4096 * (int(memory.read_text().split()[1]) - before) < 20_000_000
    return int(answer.split(b" ")[1]) if answer else 0


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "foo", "HTTP/2.0, TLS/1.0"])
def test_a_request_that_would_upgrade_is_answered_with_its_body_and_closes(server: Server, protocol: str) -> None:
    upgrade = f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n"
    for request in (post(CREDENTIALS, LENGTH, upgrade) + BODY, post(CREDENTIALS, CHUNKED, upgrade) + CHUNKS + "\r\n"):
        for cut in (len(request), request.index("\r\n\r\n") + 4, request.index("\r\n\r\n") + 12, len(request) - 3):
            answers = talk(server, request[:cut], request[cut:] + SECOND)
            assert statuses(answers) == ["200"], (cut, answers)
            assert b'"setosa"' in answers[0] and b"connection: close" in answers[0]
    get = f"GET /models HTTP/1.1\r\n{HOST}{CREDENTIALS}{upgrade}\r\n"
    assert statuses(talk(server, get + SECOND)) == ["200"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (post("Expect: 100-continue\r\n", LENGTH), "401"),
        (post(CREDENTIALS, "Expect: 100-continue\r\n", LENGTH, line="POST /nowhere HTTP/1.1"), "404"),
        (post(CREDENTIALS, "Expect: 100-continue\r\n", LENGTH).replace(JSON, "Content-Type: text/plain\r\n"), "415"),
        (post(CREDENTIALS, "Expect: 100-continue\r\n", LENGTH, line="PUT /predict HTTP/1.1"), "405"),
    ],
)
def test_an_early_refusal_of_expect_100_continue_closes_the_connection(server: Server, head: str, status: str) -> None:
    started = time.monotonic()
    answers = talk(server, head)
    assert statuses(answers) == [status] and b"connection: close" in answers[0]
    assert time.monotonic() - started < 4.5


def test_expect_100_continue_is_answered_with_100(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        for _ in range(2):
            sock.sendall(post(CREDENTIALS, "Expect: 100-Continue\r\n", LENGTH).encode())
            assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(BODY.encode())
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")


def test_an_early_answer_to_a_request_in_full_flow_keeps_the_connection(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(post(CREDENTIALS, LENGTH, line="POST /nowhere HTTP/1.1").encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 404")
        sock.sendall(BODY.encode() + SECOND.encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")


def test_many_tiny_chunks_are_no_flood(server: Server) -> None:
    body = BODY + " " * 100_000
    chunks = "".join(f"1\r\n{character}\r\n" for character in body)
    answers = talk(server, post(CREDENTIALS, CHUNKED, "Connection: close\r\n") + chunks + "0\r\n\r\n")
    assert statuses(answers) == ["200"]


def test_an_older_client_gets_an_answer_without_chunks(server: Server) -> None:
    answers = talk(server, f"GET /metrics HTTP/1.0\r\n{CREDENTIALS}\r\n")
    assert statuses(answers) == ["200"] and b"chunked" not in answers[0].lower()


def test_clients_that_never_read_are_cut_off_and_slow_ones_are_not(server: Server) -> None:
    wanted = {"instances": [[5.1, 3.5, 1.4, 0.2]] * 400_000, "parameters": {"probabilities": True}}
    rows = json.dumps(wanted)
    request = (post(CREDENTIALS, f"Content-Length: {len(rows)}\r\n", "Connection: close\r\n") + rows).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as never, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.settimeout(60)
        slow.connect(("127.0.0.1", server.port))
        never.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        never.sendall(request)
        slow.sendall(request)
        found, until = b"", time.monotonic() + 5
        while data := slow.recv(65536):
            found += data
            if time.monotonic() < until:
                time.sleep(0.3)
        assert len(json.loads(found.partition(b"\r\n\r\n")[2])["predictions"]) == 400_000
        # Only now may it read: a busy machine may have begun its answer a moment ago.
        assert eventually(lambda: 'reason="write timeout"' in server.client.get("/metrics").text, 60)
        taken = 0
        with suppress(ConnectionError):
            while data := never.recv(2**20):
                taken += len(data)
        assert taken < len(found)
