"""Call every route that predicts, as its clients do. The models are of several speeds and return 2 * number + 1."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from server import PASSWORD, USER, Server

# `seconds` decides whether the server predicts on the event loop or in the prediction thread.
DOUBLE = """
import time

class Double:
    def fit(self, X, y):
        return self

    def predict(self, X):
        time.sleep({seconds})
        return 2 * X["number"].to_numpy() + 1

def build(): return Double()
def score(model, X, y): return {{"r2": 1.0}}
"""
SPEEDS = {"quick": "0", "slow": "0.002", "mixed": "0 if len(X) <= 512 else 0.003", "odd": "0.002 * (len(X) % 2)"}
TABLE = "number,y\n" + "".join(f"{i},{i}.5\n" for i in range(50))
Ask = Callable[[aiohttp.ClientSession, str, list[float]], Awaitable[list[float]]]


def start(serve: Callable[..., Server], fork: Callable[..., Path], coverage: bool = True, **settings: str) -> Server:
    """Start a server that has a model of each speed."""
    models = {name: DOUBLE.format(seconds=seconds) for name, seconds in SPEEDS.items()}
    routes = {"AIP_PREDICT_ROUTE": "/vertex:predict", "AIP_HEALTH_ROUTE": "/vertex:health"}
    limits = {"MAX_QUEUE_MS": "600000"}  # refuse no request because the machine is busy
    given = {"BOOTSTRAP": "false", "DEFAULT_MODEL": "quick", **routes, **limits, **settings}
    server = serve(fork(**models), coverage=coverage, **given)
    for model in models:
        server.train(TABLE, "y", model=model).raise_for_status()
    return server


def session(server: Server) -> aiohttp.ClientSession:
    headers = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
    return aiohttp.ClientSession(server.url, headers=headers, connector=aiohttp.TCPConnector(limit=0))


class NotAnswered(Exception):
    """The server answered with another status than 200."""


async def post(client: aiohttp.ClientSession, path: str, **body: Any) -> bytes:
    async with client.post(path, **body) as answer:
        found = await answer.read()
        if answer.status != 200:
            raise NotAnswered(answer.status, found[:500])
        return found


def csv(numbers: list[float], header: bool = True) -> str:
    return "number\n" * header + "".join(f"{number}\n" for number in numbers)


def instances(numbers: list[float]) -> dict[str, Any]:
    return {"instances": [{"number": number} for number in numbers]}


def tensor(numbers: list[float], **more: Any) -> dict[str, Any]:
    return {"name": "number", "shape": [len(numbers)], "datatype": "FP64", **more}


async def by_model(client: aiohttp.ClientSession, model: str, numbers: list[float]) -> list[float]:
    return json.loads(await post(client, f"/models/{model}/predict", json=instances(numbers)))["predictions"]


async def by_file(client: aiohttp.ClientSession, model: str, numbers: list[float]) -> list[float]:
    form = aiohttp.FormData({"model": model})
    form.add_field("csv_file", csv(numbers), filename="table.csv")
    return json.loads(await post(client, "/get_prediction", data=form))["predictions"]


async def by_oip(client: aiohttp.ClientSession, model: str, numbers: list[float], version: str = "") -> list[float]:
    body = {"inputs": [tensor(numbers, data=numbers)]}
    return json.loads(await post(client, f"/v2/models/{model}{version}/infer", json=body))["outputs"][0]["data"]


async def by_version(client: aiohttp.ClientSession, model: str, numbers: list[float]) -> list[float]:
    return await by_oip(client, model, numbers, "/versions/1")


async def by_oip_binary(client: aiohttp.ClientSession, model: str, numbers: list[float]) -> list[float]:
    raw = np.array(numbers, dtype="<f8").tobytes()
    inputs = [tensor(numbers, parameters={"binary_data_size": len(raw)})]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    found = await post(client, f"/v2/models/{model}/infer", data=head + raw, headers=headers)
    return np.frombuffer(found[-8 * len(numbers) :], "<f8").tolist()


async def by_kserve(client: aiohttp.ClientSession, model: str, numbers: list[float]) -> list[float]:
    return json.loads(await post(client, f"/v1/models/{model}:predict", json=instances(numbers)))["predictions"]


def default(path: str, kind: str, body: Callable[[list[float]], str]) -> Ask:
    """Return a function that calls a route of the default model."""

    async def ask(client: aiohttp.ClientSession, model: str, numbers: list[float]) -> list[float]:
        headers = {"Content-Type": kind, "Accept": "application/json"}
        found = json.loads(await post(client, path, data=body(numbers), headers=headers))
        return found["predictions"]

    return ask


def split(numbers: list[float]) -> str:
    return json.dumps({"dataframe_split": {"columns": ["number"], "data": [[number] for number in numbers]}})


NAMED: dict[str, Ask] = {
    "/models/{model}/predict": by_model,
    "/get_prediction": by_file,
    "/v2/models/{model}/infer": by_oip,
    "/v2/models/{model}/infer binary": by_oip_binary,
    "/v2/models/{model}/versions/1/infer": by_version,
    "/v1/models/{model}:predict": by_kserve,
}
JSON, JSON_LINES = "application/json", "application/jsonlines"
DEFAULT: dict[str, Ask] = {
    "/predict": default("/predict", JSON, lambda numbers: json.dumps(instances(numbers))),
    "/vertex:predict": default("/vertex:predict", JSON, lambda numbers: json.dumps(instances(numbers))),
    "/invocations csv": default("/invocations", "text/csv", csv),
    "/invocations no header": default("/invocations", "text/csv", lambda numbers: csv(numbers, header=False)),
    "/invocations split": default("/invocations", JSON, split),
    "/invocations lines": default(
        "/invocations", JSON_LINES, lambda numbers: "".join(f'{{"number": {number}}}\n' for number in numbers)
    ),
    "/endpoints/x/invocations": default("/endpoints/x/invocations", "text/csv", csv),
}


async def check(client: aiohttp.ClientSession, ask: Ask, model: str, rows: int, first: float = 0.0) -> None:
    numbers = [first + row for row in range(rows)]
    found = await ask(client, model, numbers)
    assert len(found) == rows
    assert found == [2 * number + 1 for number in numbers]  # what `Double` predicts for each row alone
