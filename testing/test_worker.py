"""What goes over the wire: an answer in one piece, answers in order, and nothing lost when a connection closes."""

import json
import socket
from base64 import b64encode
from collections.abc import Callable

import pytest
from conftest import PASSWORD, USER, Server

HEAD = f"Host: x\r\nAuthorization: Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}\r\n"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1")


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def predict(rows: int, *, close: bool = False) -> bytes:
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]] * rows})
    more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" + "Connection: close\r\n" * close
    return f"POST /predict HTTP/1.1\r\n{HEAD}{more}\r\n{body}".encode()


def test_head_and_body_come_in_one_piece(server: Server) -> None:
    with connected(server) as sock:
        for _ in range(20):
            sock.sendall(predict(1))
            head, _, body = sock.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert json.loads(body)["predictions"] == ["setosa"]
            assert b"\r\nserver:" not in head


def test_answers_to_requests_sent_at_once_come_in_order(server: Server) -> None:
    with connected(server) as sock:
        sock.sendall(predict(1) + predict(2) + predict(3, close=True))
        answers = b"".join(iter(lambda: sock.recv(65536), b"")).split(b"HTTP/1.1 200 OK")[1:]
    found = [json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"] for answer in answers]
    assert [len(predictions) for predictions in found] == [1, 2, 3]


def test_a_long_answer_is_whole_before_the_connection_closes(server: Server) -> None:
    with connected(server) as sock:
        sock.sendall(predict(50_000, close=True))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"]) == 50_000
