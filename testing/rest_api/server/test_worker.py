"""Answers are written in one piece and in order, and none is lost when a connection closes."""

import json
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from server import PASSWORD, USER, Server

HEAD = f"Host: localhost\r\nAuthorization: Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}\r\n"


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


def test_a_wrong_request_among_others_is_answered_in_its_place(server: Server) -> None:
    health = f"GET /health/live HTTP/1.1\r\n{HEAD}\r\n".encode()
    with connected(server) as sock:
        for _ in range(200):
            sock.sendall(predict(1) + predict(0) + health)
        sock.sendall(predict(1, close=True))
        answers = b"".join(iter(lambda: sock.recv(65536), b"")).split(b"HTTP/1.1 ")[1:]
    assert [int(answer[:3]) for answer in answers] == [200, 422, 200] * 200 + [200]


def test_clients_that_reset_their_connection_do_not_affect_other_clients(server: Server) -> None:
    with ExitStack() as stack:
        socks = [stack.enter_context(connected(server)) for _ in range(60)]
        for sock in socks:
            sock.sendall(predict(1))
        for sock in socks[::2]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        assert all(b'"setosa"' in sock.recv(65536) for sock in socks[1::2])
    assert "Traceback" not in server.log and "Exception" not in server.log


def test_a_refusal_of_a_hot_route_comes_at_once_while_its_body_is_awaited(server: Server) -> None:
    with connected(server) as sock:
        sock.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        started = time.monotonic()
        assert sock.recv(65536).startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - started < 1.5
        while sock.recv(65536):
            pass


def test_a_body_may_come_later_than_its_head(server: Server) -> None:
    head, _, body = predict(1).partition(b"\r\n\r\n")
    with connected(server) as sock:
        for part in (head + b"\r\n\r\n", body[:10], body[10:]):
            sock.sendall(part)
            time.sleep(0.1)
        assert b'"setosa"' in sock.recv(65536)


def test_an_idle_connection_is_closed_after_a_while(serve: Callable[..., Server], server: Server) -> None:
    patience = {"MODELS_DIR": str(server.models_dir), "GUNICORN_CMD_ARGS": "--keep-alive 2"}
    impatient = serve(WEB_CONCURRENCY="1", BOOTSTRAP="false", **patience)
    with connected(impatient) as sock:
        for _ in range(3):
            sock.sendall(predict(1))
            assert b'"setosa"' in sock.recv(65536)
            time.sleep(0.5)
        started = time.monotonic()
        assert sock.recv(65536) == b""
        assert time.monotonic() - started > 1


def test_a_long_answer_is_whole_before_the_connection_closes(server: Server) -> None:
    with connected(server) as sock:
        sock.sendall(predict(50_000, close=True))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"]) == 50_000
