"""The order of a model's calls, tested on the queues directly, where a client can't observe it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from fitted_models import fit_model
from server import eventually

from ML.config.config import settings
from ML.prediction.predictor import Predictor
from rest_api.serving import call_runner
from rest_api.serving.batches import Batches


class Echo:
    """Returns each row's number, fails for some rows, and records the calling thread."""

    def __init__(self) -> None:
        self.calls: list[bool] = []
        self.go_on = threading.Event()

    def fit(self, X: Any, y: Any) -> "Echo":
        return self

    def predict(self, X: Any) -> Any:
        self.calls.append(threading.current_thread() is threading.main_thread())
        x = X["x"].to_numpy()
        if (x == -1).any():
            next(iter(()))
        if (x == -2).any():
            raise SystemExit(3)
        if (x == -3).any():
            time.sleep(0.1)
        if (x == -4).any():
            assert self.go_on.wait(30)
        return x


@pytest.fixture
def echo() -> Predictor:
    numbers = [f"{i}.5" for i in range(30)]
    return fit_model(Echo(), {"x": numbers, "y": numbers}, "regression").original


def run(story: Callable[[Batches], Coroutine[Any, Any, None]], most_rows: int = 4) -> None:
    async def watch() -> None:
        limits = {"batch_max_rows": most_rows, "max_queue_ms": 600_000}
        batches = Batches(settings().model_copy(update=limits), lambda: None)
        try:
            await asyncio.wait_for(story(batches), 60)
        finally:
            batches.close()

    asyncio.run(watch())


@pytest.fixture(params=[1000, 0], ids=["on the loop", "in the thread"])
def either(request: pytest.FixtureRequest, echo: Predictor) -> Predictor:
    return replace(echo, quick_rows=request.param)


def test_others_pass_between_the_calls_of_a_deep_queue(either: Predictor) -> None:
    async def story(batches: Batches) -> None:
        many = [batches.predict(either, [[float(i)]], 1, False) for i in range(1500)]
        large = batches.predict(either, [[float(i) for i in range(1500)]], 1500, False)
        turns = 0
        while not large.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 100
        assert [(await one).predictions for one in many] == [[float(i)] for i in range(1500)]
        assert large.result().predictions == [float(i) for i in range(1500)]

    run(story, most_rows=1)


@pytest.mark.parametrize("number", [-1, -2])
def test_an_exception_that_a_future_can_not_hold_reaches_only_its_own_caller(either: Predictor, number: int) -> None:
    async def story(batches: Batches) -> None:
        for _ in range(2):
            asked = [batches.predict(either, [[float(x)]], 1, False) for x in (5, number, 6)]
            with pytest.raises(RuntimeError, match="The model raised S"):
                await asked[1]
            assert [(await asked[place]).predictions for place in (0, 2)] == [[5.0], [6.0]]

    run(story)


def test_a_full_batch_is_handed_to_the_thread_before_the_previous_one_ends(echo: Predictor) -> None:
    async def story(batches: Batches) -> None:
        first = batches.predict(echo, [[-4.0]], 1, False)
        await asyncio.sleep(0.02)
        second = [batches.predict(echo, [[float(x)]], 1, False) for x in range(4)]
        before = len(echo.model.calls)
        echo.model.go_on.set()
        # The loop has other things to do: it can't hand over the batch.
        assert eventually(lambda: len(echo.model.calls) > before)
        await asyncio.gather(first, *second)

    run(story)


def test_callers_that_do_not_fill_a_batch_wait_until_the_current_call_ends(echo: Predictor) -> None:
    async def story(batches: Batches) -> None:
        before = len(echo.model.calls)
        first = batches.predict(echo, [[-4.0]], 1, False)
        rest = []
        for x in range(3):
            await asyncio.sleep(0.01)
            rest.append(batches.predict(echo, [[float(x)]], 1, False))
        echo.model.go_on.set()
        await asyncio.gather(first, *rest)
        assert len(echo.model.calls) == before + 2

    run(story)


def test_a_model_that_was_slow_once_comes_back_to_the_loop(echo: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_runner, "SLOW_FACTOR", 5)
    quick = replace(echo, quick_rows=1000)

    async def on_the_loop(batches: Batches, x: float) -> bool:
        await batches.predict(quick, [[x]], 1, False)
        return bool(quick.model.calls[-1])

    async def story(batches: Batches) -> None:
        assert await on_the_loop(batches, -3.0)
        assert not await on_the_loop(batches, 1.0)
        await asyncio.sleep(1)
        assert await on_the_loop(batches, 1.0)

    run(story)
