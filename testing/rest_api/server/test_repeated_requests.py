"""Requests that follow each other on a connection are each judged and answered on their own."""

import json
import random
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest
from server import PASSWORD, USER, Server

LESSER = "only-predicts"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", PREDICT_USER="guest", PREDICT_PASS=LESSER)


@pytest.fixture
def wire(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


def basic(user: str = USER, password: str = PASSWORD) -> str:
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


def head(path: str = "/predict", *more: str, credentials: str = basic()) -> str:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{credentials}Content-Type: application/json\r\n{''.join(more)}"


def request(rows: int, *more: str, path: str = "/predict", credentials: str = basic()) -> bytes:
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]] * rows})
    return f"{head(path, *more, credentials=credentials)}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def chunked(rows: int) -> bytes:
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]] * rows})
    parts = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (body[:7], body[7:]))
    return f"{head()}Transfer-Encoding: chunked\r\n\r\n{parts}0\r\n\r\n".encode()


class Answers:
    """Return the answers on a connection, one after another."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire, self.rest = wire, b""

    def next(self) -> tuple[int, dict[str, str], bytes]:
        while b"\r\n\r\n" not in self.rest:
            self._more()
        lines, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *others = lines.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in others)}
        length = int(headers["content-length"])
        while len(self.rest) < length:
            self._more()
        body, self.rest = self.rest[:length], self.rest[length:]
        return int(first.split()[1]), headers, body

    def _more(self) -> None:
        data = self.wire.recv(65536)
        assert data, f"closed after {self.rest!r}"
        self.rest += data


REQUESTS = [
    *((request(rows), 200, rows) for rows in (1, 1, 2, 3, 12)),
    (request(1, "X-Request-ID: known\r\n"), 200, 1),
    (request(2, path="/models/classifier/predict"), 200, 2),
    (request(0), 422, 0),
    (request(1, path="/models/nope/predict"), 404, 0),
    (chunked(2), 200, 2),
    (f"GET /models HTTP/1.1\r\nHost: localhost\r\n{basic()}\r\n".encode(), 200, 0),
    (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, 0),
]


@pytest.mark.parametrize("seed", range(12))
def test_however_a_stream_of_requests_is_cut_each_is_answered_in_its_turn(wire: socket.socket, seed: int) -> None:
    chance = random.Random(seed)
    asked = chance.choices(REQUESTS, k=150)
    stream = b"".join(data for data, _, _ in asked)
    ends, place = set(), 0
    for data, _, _ in asked:
        place += len(data)
        ends.add(place)
    # Whole requests most often, because only those can be recognised; else anywhere, in the middle of a head too.
    cuts = sorted({end for end in ends if chance.random() < 0.7} | set(chance.sample(range(len(stream)), 40)))
    answers, answered, written = Answers(wire), 0, 0
    order = sorted(ends)
    for cut in [*cuts, len(stream)]:
        wire.sendall(stream[written:cut])
        written = cut
        while answered < len(order) and order[answered] <= written:
            check(asked[answered], answers.next())
            answered += 1
        if cut not in ends:
            time.sleep(0.002)  # so that the parts come apart
    assert answered == len(asked)


def check(asked: tuple[bytes, int, int], answer: tuple[int, dict[str, str], bytes]) -> None:
    data, status, rows = asked
    found, headers, body = answer
    assert found == status, (data, body)
    assert not rows or json.loads(body)["predictions"] == ["setosa"] * rows
    assert b"X-Request-ID: known" not in data or headers["x-request-id"] == "known"


def test_requests_with_one_head_have_ids_and_log_lines_of_their_own(server: Server, wire: socket.socket) -> None:
    answers, ids = Answers(wire), set()
    for _ in range(50):
        wire.sendall(request(1))
        ids.add(answers.next()[1]["x-request-id"])
    assert len(ids) == 50
    for each in ids:
        assert server.logs(f"{each} POST /predict 200 ")
    lines = [line for line in server.log.splitlines() if any(each in line for each in ids)]
    assert len(lines) == 50 and all(line.endswith(f" {USER} classifier/1") for line in lines), lines[:3]


def test_each_of_many_heads_is_read(wire: socket.socket) -> None:
    answers = Answers(wire)
    for turn in range(2):
        for n in range(300):
            wire.sendall(request(1, f"X-Request-ID: {turn}-{n}\r\n", f"X-Padding: {'x' * (20 * n)}\r\n"))
            status, headers, _ = answers.next()
            assert (status, headers["x-request-id"]) == (200, f"{turn}-{n}")


@pytest.mark.parametrize(
    ("path", "credentials", "status"),
    [
        ("/predict", "", 401),
        ("/predict", basic(password="wrong"), 401),
        ("/predict", basic(USER, LESSER), 401),
        ("/predict", basic("guest", LESSER), 200),
        ("/v2/models/classifier/infer", basic("guest", LESSER), 400),
    ],
)
def test_repeated_headers_are_judged_the_same_each_time(
    server: Server, path: str, credentials: str, status: int
) -> None:
    for _ in range(5):  # connections: the first request of each is always parsed
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
            answers = Answers(sock)
            for sent, wanted in (
                (request(1), 200),
                (request(1), 200),
                (request(1, path=path, credentials=credentials), status),
            ):
                sock.sendall(sent)
                assert answers.next()[0] == wanted


def test_a_body_longer_or_shorter_than_its_head_says(server: Server, wire: socket.socket) -> None:
    answers, whole = Answers(wire), request(1)
    for _ in range(3):
        wire.sendall(whole)
        assert answers.next()[0] == 200
    wire.sendall(whole[:-1])
    time.sleep(0.05)
    wire.sendall(whole[-1:] + whole)
    assert [answers.next()[0], answers.next()[0]] == [200, 200]
    wire.sendall(whole + b"x" * 10)
    assert answers.next()[0] in (200, 400)  # what follows is no request, and both came at once
    assert server.predict([[5.1, 3.5, 1.4, 0.2]]).status_code == 200


def test_a_connection_that_shall_close_does(server: Server) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
            sock.sendall(request(1))
            assert Answers(sock).next()[0] == 200
            sock.sendall(request(1, "Connection: close\r\n"))
            answer = b"".join(iter(lambda: sock.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer


def test_each_expect_100_continue_is_answered(wire: socket.socket) -> None:
    answers, whole = Answers(wire), request(1, "Expect: 100-continue\r\n")
    wire.sendall(request(1))
    assert answers.next()[0] == 200
    for _ in range(3):
        wire.sendall(whole)  # it does not wait, so that all comes in one piece
        while not answers.rest.startswith(b"HTTP/1.1 200"):
            answers.rest = answers.rest.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n") or wire.recv(65536)
        assert answers.next()[0] == 200


def test_an_older_version_of_http_closes_its_connection_each_time(server: Server) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
            sock.sendall(request(1))
            assert Answers(sock).next()[0] == 200
            sock.sendall(request(1).replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")[2].startswith(b'{"pred')
