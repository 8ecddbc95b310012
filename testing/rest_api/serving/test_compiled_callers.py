"""Compiled versions with many callers: each gets its own answer, also while the version changes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from fitted_models import fit_model, people
from server import PASSWORD, USER, Server

from ML.src import classifier

TABLE = people(150)
HEADERS = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
Answers = tuple[list[str], list[list[float]]]


def csv(table: dict[str, list[str]]) -> str:
    return "\n".join(",".join(cells) for cells in [list(table), *zip(*table.values(), strict=True)]) + "\n"


def row(place: int) -> dict[str, Any]:
    """Return a different row for each caller, some with missing values and unknown text."""
    town = ["Bonn", "Oslo", "Rome", "Ulm", None, "Atlantis"][place % 6]
    age = None if place % 5 == 0 else 20 + place / 10
    shared = {"rooms": place % 5, "vip": place % 2 == 0, "since": "2013-02-11", "grade": "abc"[place % 3]}
    return {"age": age, "fare": 1 + place * 0.37, "town": town} | shared


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start one worker with small batches and two compiled versions that predict differently."""
    server = serve(coverage=False, BOOTSTRAP="false", WEB_CONCURRENCY="1", BATCH_MAX_ROWS="64")
    for seed in (0, 1):
        server.train(csv(people(150, seed=seed)), "y", force="true").raise_for_status()
        assert server.client.get("/models/classifier").json()["live"]["compiled"]["used"]
    return server


async def ask(client: aiohttp.ClientSession, server: Server, rows: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"instances": rows, "parameters": {"probabilities": True}}
    async with client.post(f"{server.url}/predict", json=body) as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def promote(client: aiohttp.ClientSession, server: Server, version: int) -> None:
    async with client.put(f"{server.url}/models/classifier/current", json={"version": version}) as answer:
        assert answer.status == 200


def test_answers_never_cross_and_are_true_to_the_version_they_name(server: Server) -> None:
    seen, rows = set(), [row(place) for place in range(400)]

    async def caller(client: aiohttp.ClientSession, place: int, known: dict[int, dict[str, Any]]) -> None:
        for turn in range(3):
            first, size = (place * 7 + turn * 31) % 300, 1 + (place * 3 + turn) % 90
            found = await ask(client, server, rows[first : first + size])
            want = known[found["model_version"]]
            assert found["predictions"] == want["predictions"][first : first + size]
            assert np.allclose(found["probabilities"], want["probabilities"][first : first + size], 1e-9, 1e-12)
            seen.add(found["model_version"])

    async def swap(client: aiohttp.ClientSession) -> None:
        for turn in range(8):
            await promote(client, server, 1 + turn % 2)
            await asyncio.sleep(0.1)

    async def run() -> None:
        async with aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=0)) as client:
            known = {}
            for version in (1, 2):
                await promote(client, server, version)
                known[version] = await ask(client, server, rows)
            assert known[1]["predictions"] != known[2]["predictions"]
            await asyncio.gather(swap(client), *(caller(client, place, known) for place in range(150)))

    asyncio.run(run())
    assert seen == {1, 2}


def test_rows_go_to_the_graph_as_arrays_and_it_starts_no_thread() -> None:
    found = fit_model(classifier.build(), TABLE, "classification")
    found.converted()  # imports ONNX Runtime, which has threads of its own
    before = threads()
    made, _ = found.converted()
    columns = [[value] for value in (41.5, 20.25, 2.0, 1.0, 15000.0, "Oslo", "a")]
    assert {type(values) for values in made.table(columns).values()} == {np.ndarray}
    assert len(made.predict(made.table([column * 20_000 for column in columns])).predictions) == 20_000
    assert threads() == before


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))
