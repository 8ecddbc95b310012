"""The bytes of bodies that a worker holds are bounded: while they arrive, while parsed and while compressed."""

import asyncio
import gzip
import json
import socket
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import httpx2 as httpx
import pytest
from server import PASSWORD, USER, Server, eventually

from rest_api.http import work

MB = 2**20
MAX_BODY_MB = 20
AUTH = f"Host: localhost\r\nAuthorization: Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}\r\n"
ROW = b"[5.1,3.5,1.4,0.2]"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    server = serve(WEB_CONCURRENCY="1", MAX_BODY_MB=str(MAX_BODY_MB), READ_TIMEOUT="20")
    assert server.predict([[5.1, 3.5, 1.4, 0.2]] * 1000).status_code == 200
    return server


def peak(server: Server, reset: bool = False) -> int:
    """Return the worker's peak memory since the last reset, in bytes."""
    process = Path(f"/proc/{server.workers[0]}")
    if reset:
        (process / "clear_refs").write_text("5")
    lines = (process / "status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def rows(size: int) -> bytes:
    """Return a JSON body of about this many bytes."""
    return b'{"instances":[' + b",".join([ROW] * (size // (len(ROW) + 1))) + b"]}"


@pytest.mark.exclusive
@pytest.mark.parametrize("path", ["/predict", "/train_model", "/get_prediction", "/v2/models/classifier/infer"])
def test_uploads_that_never_end_use_little_memory_and_block_no_other_client(server: Server, path: str) -> None:
    kind = "application/json" if path[1] in "pv" else "multipart/form-data; boundary=x"
    head = f"POST {path} HTTP/1.1\r\n{AUTH}Content-Type: {kind}\r\nContent-Length: {20 * MB}\r\n\r\n"
    begin, answers = peak(server, reset=True), Counter[bytes]()
    with ExitStack() as stack:
        for _ in range(24):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            with suppress(OSError):
                sock.sendall(head.encode() + b" " * (19 * MB))
            sock.settimeout(0.2)
            with suppress(OSError):
                answer = sock.recv(65536)
                answers[answer[9:12]] += 1
                assert b"retry-after: " in answer and b"MAX_BODY_MB" in answer
        assert server.predict([[5.1, 3.5, 1.4, 0.2]]).json()["predictions"] == ["setosa"]
    assert answers[b"503"] >= 10 and set(answers) == {b"503"}
    assert peak(server) - begin < 8 * MAX_BODY_MB * MB
    # What they held is free again.
    body = rows(19 * MB)
    assert eventually(lambda: post(server, body).status_code in (200, 413))
    assert 'reason="held bodies"' in server.client.get("/metrics").text


def post(server: Server, body: bytes, **headers: str) -> httpx.Response:
    return server.client.post("/predict", content=body, headers={"Content-Type": "application/json"} | headers)


def test_large_bodies_at_once_are_parsed_one_after_another(server: Server) -> None:
    body = rows(15 * MB)
    count, found = body.count(ROW), Counter[object]()

    def ask() -> None:
        with httpx.Client(base_url=server.url, auth=(USER, PASSWORD), timeout=120) as client:
            answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
            whole = answer.status_code == 200 and len(answer.json()["predictions"]) == count
            found["whole" if whole else answer.status_code] += 1

    begin = peak(server, reset=True)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["whole"] >= 1 and set(found) <= {"whole", 503}
    assert peak(server) - begin < 4 * 6 * 15 * MB


def test_compressed_bodies_count_with_their_decompressed_size(server: Server) -> None:
    packed = gzip.compress(b" " * (19 * MB))
    begin, found = peak(server, reset=True), Counter[int]()

    def ask() -> None:
        with httpx.Client(base_url=server.url, auth=(USER, PASSWORD), timeout=120) as client:
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            found[client.post("/predict", content=packed, headers=headers).status_code] += 1

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) <= {422, 503} and found[422]
    assert peak(server) - begin < 8 * MAX_BODY_MB * MB


@pytest.mark.parametrize("path", ["/predict", "/v1/models/classifier:predict", "/invocations"])
def test_a_compressed_body_is_read_on_every_route(server: Server, path: str) -> None:
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = server.client.post(path, content=gzip.compress(body), headers=headers)
    assert answer.json()["predictions"] == ["setosa"]
    unknown = server.client.post(path, content=body, headers=headers | {"Content-Encoding": "br"})
    assert unknown.status_code == 415 and "gzip or deflate" in unknown.text
    broken = server.client.post(path, content=body, headers=headers)
    assert broken.status_code == 400 and "can't be unpacked" in broken.text


def test_a_compressed_body_is_also_read_on_routes_that_do_not_predict(server: Server) -> None:
    path, body = "/models/classifier/current", b'{"version": 1}'
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert server.client.put(path, content=gzip.compress(body), headers=headers).json()["live"] is True
    unknown = server.client.put(path, content=body, headers=headers | {"Content-Encoding": "br"})
    assert unknown.status_code == 415 and "gzip or deflate" in unknown.text
    form = httpx.Request(
        "POST", server.url, files={"csv_file": b"a"}, data={"model": "nonesuch", "target_variable": "a"}
    )
    headers["Content-Type"] = form.headers["content-type"]
    for route in ("/get_prediction", "/train_model"):
        found = server.client.post(route, content=gzip.compress(form.read()), headers=headers)
        assert found.status_code == 404 and "nonesuch" in found.text


def test_a_gzipped_table_is_parsed_as_the_large_one_that_it_may_be() -> None:
    table = gzip.compress(b"a\n" + b"1\n" * 1000)
    assert len(table) < 100
    thread = asyncio.run(work.run(work.size_of(table), threading.current_thread))
    assert thread.name.startswith("large")


@pytest.mark.exclusive
def test_concurrent_uploads_are_accepted_up_to_the_limit(server: Server) -> None:
    """A refused upload makes room at once, so that concurrent uploads are not refused as well."""
    head = f"POST /predict HTTP/1.1\r\n{AUTH}Content-Type: application/json\r\nContent-Length: {20 * MB}\r\n\r\n"
    found, together = Counter[str](), threading.Barrier(24)

    def send() -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
            sock.sendall(head.encode())
            together.wait()
            with suppress(OSError):  # refused while it sends
                for _ in range(19):
                    sock.sendall(b" " * MB)
            sock.settimeout(3)
            try:
                found["refused" if sock.recv(65536) else "closed"] += 1
            except TimeoutError:
                found["waited for"] += 1
            except OSError:
                found["closed"] += 1

    threads = [threading.Thread(target=send) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["waited for"] == 4 and found["refused"]


SLEEPY = """
import time
from pathlib import Path
class Sleepy:
    def fit(self, X, y):
        while not Path({file!r}).exists():
            time.sleep(0.05)
        return self
    def predict(self, X): return [0.0] * len(X)
def build(): return Sleepy()
def score(model, X, y): return {{"r2": 1.0}}
"""


@pytest.fixture(scope="module")
def small(serve: Callable[..., Server], fork: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Start a server that holds at most 4 MB. Its estimators train until the file `end` exists."""
    end = str(tmp_path_factory.mktemp("sleepy") / "end")
    project = fork(**{f"sleepy{number}": SLEEPY.format(file=end) for number in range(4)})
    server = serve(project, WEB_CONCURRENCY="1", MAX_BODY_MB="1", READ_TIMEOUT="120")
    server.environment["END"] = end
    return server


def test_a_training_keeps_its_upload_only_until_it_has_started(small: Server) -> None:
    table = "x,y\n" + "1,2.5\n2,3.5\n" * (MB // 12 - 400)
    threads = [
        threading.Thread(target=httpx.post, args=(f"{small.url}/train_model",), kwargs={
            "auth": (USER, PASSWORD), "files": {"csv_file": table}, "timeout": 120,
            "data": {"target_variable": "y", "model": f"sleepy{number}"},
        }) for number in range(4)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    try:
        paths = [f"/models/sleepy{number}/versions" for number in range(4)]
        assert eventually(lambda: all(small.client.get(path).json() for path in paths), 60)
        assert eventually(lambda: small.client.post("/train_model", files={"csv_file": table}).status_code == 422)
        assert all(small.client.get(path).json()[0]["state"] == "training" for path in paths)
    finally:
        Path(small.environment["END"]).touch()
        for thread in threads:
            thread.join()


def test_a_client_with_an_open_connection_gets_the_full_error_message_too(small: Server) -> None:
    body = rows(100_000)
    head = f"POST /predict HTTP/1.1\r\n{AUTH}Content-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with ExitStack() as stack:
        connect = partial(socket.create_connection, ("127.0.0.1", small.port), timeout=10)
        socks = [stack.enter_context(connect()) for _ in range(20)]
        for sock in 2 * socks:
            sock.sendall(request)
            assert read_answer(sock).startswith(b"HTTP/1.1 200")

        def upload() -> None:
            other = stack.enter_context(connect())
            with suppress(OSError):
                other.sendall(f"{head}Content-Length: {MB}\r\n\r\n".encode() + b" " * (MB - 1))

        def full() -> bool:
            """Whether four uploads are held, and read to their ends: the worker reads on between 20 requests."""
            if all(post(small, b" " * 100_000).status_code == 503 for _ in range(20)):
                return True
            upload()  # a request that found room may have cost one of them its place
            return False

        for _ in range(6):
            upload()
        assert eventually(full, 60)
        for sock in socks:
            sock.sendall(request)
            assert read_answer(sock).startswith(b"HTTP/1.1 503")


def read_answer(sock: socket.socket) -> bytes:
    """Read a complete answer and return its headers."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += sock.recv(65536)
    head, _, body = found.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    while len(body) < size:
        body += sock.recv(65536)
    return head


def test_slow_uploads_make_room_within_read_timeout(server: Server) -> None:
    """Each upload holds what it has sent for READ_TIMEOUT at most."""
    head = f"POST /predict HTTP/1.1\r\n{AUTH}Content-Type: application/json\r\nContent-Length: {20 * MB}\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(5):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            with suppress(OSError):
                sock.sendall(head.encode() + b" " * (19 * MB))
        started = time.monotonic()
        assert eventually(lambda: post(server, rows(5 * MB)).status_code == 200, 60)
        assert time.monotonic() - started < 40
