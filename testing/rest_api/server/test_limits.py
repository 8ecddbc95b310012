"""Clients that send too much, too slowly or nothing are refused, while memory stays flat and others are served."""

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from server import PASSWORD, USER, Server, eventually

AUTH = f"Host: localhost\r\nAuthorization: Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}\r\n"
POST = f"POST /predict HTTP/1.1\r\n{AUTH}Content-Type: application/json\r\n"
ROW = [5.1, 3.5, 1.4, 0.2]
MB = 2**20


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start one worker with short timeouts and few connections."""
    server = serve(WEB_CONCURRENCY="1", READ_TIMEOUT="3", MAX_CONNECTIONS="300", MAX_BODY_MB="20")
    assert server.predict([ROW] * 1000).status_code == 200
    return server


def memory(server: Server) -> int:
    """Return the worker's private memory in bytes."""
    text = Path(f"/proc/{server.workers[0]}/smaps_rollup").read_text()
    return sum(1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


@contextmanager
def served(server: Server) -> Iterator[None]:
    """Check that other clients are served during the block, and that the worker grows by less than 50 MB."""
    before, slowest, failed, ended = memory(server), [0.0], [], threading.Event()
    most = [before]

    def ask() -> None:
        while not ended.wait(0.05):
            started = time.monotonic()
            # Each on a connection of its own: those must get in too.
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock, suppress(OSError):
                body = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
                sock.sendall(f"{POST}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
                answer = sock.recv(4096)
                if not answer.startswith(b"HTTP/1.1 200"):
                    failed.append(answer)
            slowest[0] = max(slowest[0], time.monotonic() - started)
            most[0] = max(most[0], memory(server))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not failed, failed[:3]
    assert slowest[0] < 3, slowest
    grown = max(most[0], memory(server)) - before
    assert grown < 50 * MB, f"{grown / MB:.0f} MB"


def status(sock: socket.socket) -> int:
    """Return the status of the answer, or 0 if the connection was closed without one."""
    sock.settimeout(20)
    with suppress(OSError):
        if answer := sock.recv(4096):
            return int(answer.split(b" ")[1])
    return 0


def test_an_endless_body_in_chunks_is_cut_off(server: Server) -> None:
    with served(server), socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk, sent = b"10000\r\n" + b" " * 0x10000 + b"\r\n", 0
        sock.settimeout(10)
        with suppress(OSError):
            while sent < 2000 * MB:
                sock.sendall(chunk)
                sent += len(chunk)
        assert sent < 400 * MB, "nobody stopped it"
        # The answer may be lost where bytes that nobody read made the kernel reset the connection.
        assert status(sock) in (413, 0)
    assert server.logs(" POST /predict 413 ")


def test_a_gigabyte_is_refused(server: Server) -> None:
    with served(server), socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(f"{POST}Content-Length: 1000000000\r\n\r\n".encode())
        with suppress(OSError):
            for _ in range(1000):
                sock.sendall(b"x" * 1_000_000)
        assert status(sock) in (413, 0)


@pytest.mark.parametrize("path", ["/predict", "/train_model", "/models/classifier/current"])
def test_a_body_at_a_byte_a_second_is_timed_out(server: Server, path: str) -> None:
    kind = "multipart/form-data; boundary=x" if path == "/train_model" else "application/json"
    method = "PUT" if path.endswith("current") else "POST"
    head = f"{method} {path} HTTP/1.1\r\n{AUTH}Content-Type: {kind}\r\nContent-Length: 500\r\n\r\n"
    with served(server), ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(40)]
        started = time.monotonic()
        for sock in socks:
            sock.sendall(head.encode())
        for byte in (b"-", b"-", b"x") if path == "/train_model" else (b" ", b" ", b" "):
            time.sleep(1)
            for sock in socks:
                with suppress(OSError):
                    sock.sendall(byte)
        assert {status(sock) for sock in socks} == {408}
        assert time.monotonic() - started < 8
    assert server.logs(f" {method} {path} 408 ", 40)


def test_headers_that_never_end_are_refused(server: Server) -> None:
    with served(server):
        with socket.create_connection(("127.0.0.1", server.port)) as sock, suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\nX: ")
            sent = 0
            while sent < 500 * MB:
                sock.sendall(b"x" * 65536)
                sent += 65536
        assert sent < 50 * MB
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 12_000)
            assert status(sock) == 431
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            for _ in range(5):  # a header a second
                with suppress(OSError):
                    sock.sendall(b"X: y\r\n" if _ else b"GET / HTTP/1.1\r\n")
                time.sleep(1)
            assert status(sock) == 408


def test_five_thousand_idle_connections_block_no_other_client(server: Server) -> None:
    with served(server), ExitStack() as stack:
        for _ in range(5000):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        assert files(server) < 400
        time.sleep(1)
    # Those that sent nothing are closed when their time is up.
    assert eventually(lambda: files(server) < 80)
    assert 'reason="connections"' in server.client.get("/metrics").text


def files(server: Server) -> int:
    """Return how many files the worker has open."""
    return len(list(Path(f"/proc/{server.workers[0]}/fd").iterdir()))


def test_a_connection_that_works_is_not_timed_out(server: Server) -> None:
    for _ in range(5):
        time.sleep(1)
        assert server.predict([ROW]).status_code == 200
