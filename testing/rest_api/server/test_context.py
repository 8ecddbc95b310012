"""A context variable set in one request is not visible in any other, on the same connection or another."""

import asyncio
import json
import socket
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from server import PASSWORD, USER, Server

# Each request to /whose answers what it found in the variable, and leaves its own name there. The model does likewise
# with the number of its row, and has seen another caller's if it answers anything but -1.
ROUTES = """
import asyncio
from contextvars import ContextVar
from fastapi.responses import JSONResponse

WHOSE = ContextVar("whose", default="nobody")

async def _whose(request):
    name = request.headers["x-name"]
    found = [WHOSE.get()]
    WHOSE.set(name)
    await request.body()
    for _ in range(3):
        await asyncio.sleep(0)
    found.append(WHOSE.get())
    await asyncio.sleep(0.001)
    found.append(WHOSE.get())
    return JSONResponse(found)

@hot.post("/whose")
async def whose(request: Request) -> Response:
    return await _whose(request)

@health.post("/whose/plain")
async def plain(request: Request):
    return await _whose(request)

"""
SEEN = """
from contextvars import ContextVar
import time

SEEN = ContextVar("seen", default=-1)

class Seen:
    def fit(self, X, y):
        return self
    def predict(self, X):
        time.sleep({seconds})
        found = SEEN.get()
        if X["number"].iloc[0] >= 1000:  # no row of the training
            SEEN.set(float(X["number"].iloc[0]))
        return [float(found)] * len(X)

def build(): return Seen()
def score(model, X, y): return {{"r2": 1.0}}
"""
TABLE = "number,y\n" + "".join(f"{i},{i}.5\n" for i in range(50))
CREDENTIALS = f"Authorization: Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}\r\n"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    project = fork(quick=SEEN.format(seconds=0), slow=SEEN.format(seconds=0.002))
    api = project / "rest_api" / "classifier_api.py"
    api.write_text(api.read_text().replace("app = create_app(", f"{ROUTES}app = create_app("))
    server = serve(project, BOOTSTRAP="false", WEB_CONCURRENCY="1", DEFAULT_MODEL="quick")
    for model in ("quick", "slow"):
        server.train(TABLE, "y", model=model).raise_for_status()
    return server


@pytest.mark.parametrize("path", ["/whose", "/whose/plain"])
def test_callers_at_once_do_not_see_each_other(server: Server, path: str) -> None:
    async def caller(client: aiohttp.ClientSession, name: str) -> None:
        for turn in range(10):
            me = f"{name}-{turn}"
            async with client.post(f"{server.url}{path}", headers={"X-Name": me}, data=b"x" * turn) as answer:
                assert await answer.json() == ["nobody", me, me]

    async def run() -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
        async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=20)) as client:
            await asyncio.gather(*[caller(client, f"caller {n}") for n in range(60)])

    asyncio.run(run())


@pytest.mark.parametrize("paths", [["/whose"], ["/whose/plain"], ["/whose", "/whose/plain"]])
@pytest.mark.parametrize("body", [b"", b"x" * 300_000], ids=["no body", "a body that pauses reading"])
def test_requests_of_a_pipeline_do_not_see_each_other(server: Server, paths: list[str], body: bytes) -> None:
    names = [f"caller {n}" for n in range(8)]
    stream = b""
    for place, name in enumerate(names):
        head = f"POST {paths[place % len(paths)]} HTTP/1.1\r\nHost: localhost\r\n{CREDENTIALS}X-Name: {name}\r\n"
        last = "Connection: close\r\n" * (name == names[-1])
        stream += f"{head}{last}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        sock.sendall(stream)
        answers = b"".join(iter(lambda: sock.recv(65536), b"")).split(b"\r\n\r\n")[1:]
    assert [json.loads(answer.partition(b"HTTP/1.1")[0]) for answer in answers] == [["nobody", n, n] for n in names]


@pytest.mark.parametrize("model", ["quick", "slow"])
def test_a_call_of_the_model_sees_nothing_of_the_calls_before(server: Server, model: str) -> None:
    async def caller(client: aiohttp.ClientSession, number: int) -> None:
        for _ in range(5):
            body = {"instances": [{"number": number}]}
            async with client.post(f"{server.url}/models/{model}/predict", json=body) as answer:
                assert (await answer.json())["predictions"] == [-1]

    async def run() -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
        async with aiohttp.ClientSession(headers=headers) as client:
            await caller(client, 1000)
            await asyncio.gather(*[caller(client, n) for n in range(1000, 1040)])

    asyncio.run(run())
