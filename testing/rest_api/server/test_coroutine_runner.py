"""A coroutine that is started at once: it runs up to its first wait, then goes on as what it awaits completes."""

import asyncio
import sys
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
import uvloop

from rest_api.server import coroutine_runner

NAME = ContextVar("name", default="nobody")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


async def ended(running: set[Any]) -> None:
    while running:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_never_waits_has_ended_when_start_returns(loop: Any) -> None:
    async def run() -> None:
        running: set[Any] = set()
        seen: list[str] = []

        async def work() -> None:
            NAME.set("work")
            seen.append(NAME.get())

        coroutine_runner.start(work(), running, copy_context())
        assert (seen, running, NAME.get()) == (["work"], set(), "nobody")

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


@pytest.mark.parametrize("loop", LOOPS)
def test_it_waits_for_whatever_asyncio_offers(loop: Any) -> None:
    async def run() -> None:
        running: set[Any] = set()
        seen: list[Any] = []
        event, lock = asyncio.Event(), asyncio.Lock()
        future = asyncio.get_running_loop().create_future()
        shared = asyncio.ensure_future(asyncio.sleep(0.01, "shared"))

        async def work(number: int) -> None:
            NAME.set(str(number))
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            await event.wait()
            async with lock:
                await asyncio.sleep(0)
            seen.append((number, await asyncio.shield(shared), await asyncio.to_thread(NAME.get), NAME.get()))
            if number == 0:
                seen.append(await future)
            with pytest.raises(ZeroDivisionError):
                await asyncio.gather(asyncio.sleep(0), asyncio.to_thread(lambda: 1 / 0))

        for number in range(3):
            coroutine_runner.start(work(number), running, copy_context())
        assert len(running) == 3 and not seen
        event.set()
        asyncio.get_running_loop().call_later(0.05, future.set_result, "last")
        await asyncio.wait_for(ended(running), 10)
        assert seen[-1] == "last"
        assert sorted(seen[:-1]) == [(n, "shared", str(n), str(n)) for n in range(3)]

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


def test_the_server_can_cancel_it() -> None:
    async def run() -> None:
        running: set[Any] = set()
        cancelled: list[bool] = []

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(True)

        coroutine_runner.start(work(), running, copy_context())
        for each in running:
            each.cancel(msg="the server stops")
        await asyncio.wait_for(ended(running), 10)
        assert cancelled == [True]

    asyncio.run(run())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no eager tasks")
def test_it_is_a_task_where_python_has_eager_ones() -> None:
    async def run() -> None:
        seen: list[Any] = []

        async def work() -> None:
            async with asyncio.timeout(1):
                await asyncio.sleep(0)
                seen.append(asyncio.current_task())

        running: set[Any] = set()
        coroutine_runner.start(work(), running, copy_context())
        tasks = list(running)
        await asyncio.wait_for(ended(running), 10)
        assert seen == tasks

    asyncio.run(run())
