"""Callers share calls of the model and nothing else, tested through the real server."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from server import PASSWORD, USER, Server

ECHO = '''
import threading
import time

import numpy as np
from threadpoolctl import threadpool_info


class Echo:
    """Returns each row's own number. Some rows raise an error, and one is slow."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        time.sleep({sleep})
        number = X["number"].to_numpy()
        if (number == -1).any():
            raise ValueError("poison")
        if (number == -2).any():
            raise KeyError("a bug")
        if (number == -3).any():
            time.sleep(0.5)
        return {answer}


def build():
    return Echo()


def score(model, X, y):
    return {{"r2": 1.0}}
'''
HEADERS = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
TABLE = "number,y\n" + "".join(f"{i},{i}.5\n" for i in range(50))


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    """Start one worker with small batches. Models return their input, depend on other rows, or report their thread."""
    where = "(number == -5) & (threading.current_thread() is threading.main_thread())"
    threads = "number * 0 + max([pool['num_threads'] for pool in threadpool_info()])"
    answers = {"echo": "number", "slow": "number", "mean": "number - number.mean()", "where": where, "threads": threads}
    models = {name: ECHO.format(answer=answer, sleep=0.002 * (name == "slow")) for name, answer in answers.items()}
    limits = {"BATCH_MAX_ROWS": "64", "MAX_QUEUE_MS": "60000"}  # nobody is refused because the machine is busy
    server = serve(fork(**models), BOOTSTRAP="false", WEB_CONCURRENCY="1", **limits)
    for model in models:
        server.train(TABLE, "y", model=model).raise_for_status()
    return server


@pytest.fixture(params=["echo", "slow"])
def model(request: pytest.FixtureRequest) -> str:
    """Return a model that is quick enough for the event loop, and one that is not."""
    return request.param


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=0))


async def ask(
    client: aiohttp.ClientSession, server: Server, numbers: list[int], model: str = "echo"
) -> tuple[int, list]:
    body = {"instances": [{"number": number} for number in numbers]}
    async with client.post(f"{server.url}/models/{model}/predict", json=body) as answer:
        found = await answer.json()
        return answer.status, found.get("predictions", found)


def test_answers_never_cross(server: Server, model: str) -> None:
    async def caller(client: aiohttp.ClientSession, place: int) -> None:
        for turn in range(5):
            numbers = [10_000 * place + 100 * turn + row for row in range(1 + (place * 7 + turn) % 90)]
            assert await ask(client, server, numbers, model) == (200, numbers)

    async def all_callers() -> None:
        async with session() as client:
            await asyncio.gather(*(caller(client, place) for place in range(300)))

    asyncio.run(all_callers())


def test_a_bad_row_does_not_fail_its_neighbour(server: Server, model: str) -> None:
    async def run() -> list[tuple[int, list]]:
        async with session() as client:
            rows = ([{7: -1, 20: -2}.get(i, i), i] for i in range(40))
            return await asyncio.gather(*(ask(client, server, row, model) for row in rows))

    for place, (status, found) in enumerate(asyncio.run(run())):
        if place in (7, 20):
            assert status == (422 if place == 7 else 500), found
            assert "poison" in str(found) or "see its log" in str(found)
        else:
            assert (status, found) == (200, [place, place])


def calls(server: Server, model: str) -> float:
    time.sleep(0.5)  # counts are handed on every 0.2 s
    found = re.search(rf'fast_ml_batch_rows_count{{model="{model}"}} (\S+)', server.client.get("/metrics").text)
    return float(found[1]) if found else 0


@pytest.mark.exclusive
def test_concurrent_callers_share_calls_even_after_single_callers(server: Server) -> None:
    worker = server.workers[0]

    async def run() -> float:
        async with session() as client:
            everybody = [(200, [number]) for number in range(64)]
            # Their connections are there already: new ones come to the worker one by one.
            assert await asyncio.gather(*(ask(client, server, [number]) for number in range(64))) == everybody
            for number in range(20):
                assert await ask(client, server, [number]) == (200, [number])
            before = calls(server, "echo")
            os.kill(worker, signal.SIGSTOP)  # so that all have come when it looks
            asked = [asyncio.create_task(ask(client, server, [number])) for number in range(64)]
            await asyncio.sleep(1)
            os.kill(worker, signal.SIGCONT)
            assert await asyncio.gather(*asked) == everybody
            return calls(server, "echo") - before

    assert asyncio.run(run()) <= 8


@pytest.mark.exclusive
def test_a_quick_model_is_asked_on_the_event_loop_and_one_that_was_slow_there_in_the_thread(server: Server) -> None:
    def ask_one(number: int) -> list:
        return server.predict([{"number": number}], model="where").json()["predictions"]

    assert ask_one(-5) == [True]
    assert ask_one(-3) == [False]
    assert ask_one(-5) == [False]


@pytest.mark.exclusive
def test_small_requests_pass_between_the_pieces_of_a_large_one(server: Server) -> None:
    async def run() -> tuple[float, float]:
        async with session() as client:
            started = time.monotonic()
            # Each piece of 64 rows holds a slow row.
            large = asyncio.create_task(ask(client, server, [-3 if row % 64 == 0 else row for row in range(640)]))
            await asyncio.sleep(0.7)
            assert await ask(client, server, [5]) == (200, [5])
            small = time.monotonic() - started
            assert (await large)[0] == 200
            return small, time.monotonic() - started

    small, large = asyncio.run(run())
    assert small < large / 2


def test_a_call_has_at_most_batch_max_rows(server: Server) -> None:
    assert server.predict([{"number": i} for i in range(640)], model="slow").json()["predictions"] == list(range(640))
    found = server.client.get("/metrics").text
    calls = re.search(r'fast_ml_batch_rows_count{model="slow"} (\S+)', found)
    small = re.search(r'fast_ml_batch_rows_bucket{le="64.0",model="slow"} (\S+)', found)
    assert calls and small and calls[1] == small[1] and float(calls[1]) >= 10


def test_a_worker_has_one_thread_of_blas_and_openmp(server: Server) -> None:
    assert server.predict([{"number": 1}], model="threads").json()["predictions"] == [1]


@pytest.mark.exclusive
def test_health_does_not_wait_for_a_slow_prediction(server: Server) -> None:
    async def run() -> float:
        async with session() as client:
            slow = asyncio.create_task(ask(client, server, [-3]))
            await asyncio.sleep(0.1)
            started = time.monotonic()
            async with client.get(f"{server.url}/health/ready") as answer:
                assert answer.status in (200, 503)
            waited = time.monotonic() - started
            assert not slow.done()
            await slow
            return waited

    assert asyncio.run(run()) < 0.3


def test_a_caller_that_goes_away_costs_the_others_nothing(server: Server) -> None:
    async def run() -> None:
        async with session() as client:
            tasks = [asyncio.create_task(ask(client, server, [-3 if i == 0 else i])) for i in range(60)]
            await asyncio.sleep(0.1)
            for task in tasks[::2]:
                task.cancel()
            for place, task in enumerate(tasks):
                if place % 2:
                    assert await task == (200, [place])

    asyncio.run(run())
    assert server.predict([{"number": 9}], model="echo").json()["predictions"] == [9]


def test_a_model_whose_rows_depend_on_each_other_is_served_unbatched_and_says_so(server: Server) -> None:
    async def run() -> list[tuple[int, list]]:
        async with session() as client:
            return await asyncio.gather(*(ask(client, server, list(range(i, i + 3)), "mean") for i in range(100)))

    assert all(found == (200, [-1, 0, 1]) for found in asyncio.run(run()))
    card = server.client.get("/models/mean").json()["live"]
    assert card["batched"] is False
    assert any("depends on the rows beside it" in note for note in card["notes"])
    assert server.client.get("/models/echo").json()["live"]["batched"] is True


def test_csv_and_json_callers_share_batches(server: Server) -> None:
    async def run() -> None:
        async with session() as client:

            async def csv(number: int) -> list:
                form = aiohttp.FormData({"model": "echo"})
                form.add_field("csv_file", f"number\n{number}\n", filename="a.csv")
                async with client.post(f"{server.url}/get_prediction", data=form) as answer:
                    return (await answer.json())["predictions"]

            callers = [csv(i) if i % 2 else ask(client, server, [i]) for i in range(60)]
            for place, found in enumerate(await asyncio.gather(*callers)):
                assert found == ([place] if place % 2 else (200, [place]))

    asyncio.run(run())
