"""Starts a coroutine at once. A task made by `create_task` would begin an event loop iteration later, and cost more."""

import asyncio
import sys
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

if sys.version_info >= (3, 12):

    def start(coroutine: Coroutine[Any, Any, None], running: set[Any], context: Context) -> None:
        """Run a coroutine in this context until it first waits; `running` then holds its task until it ends."""
        loop = asyncio.get_running_loop()  # CPython's Task finds none by itself if it is to start at once
        task = asyncio.Task(coroutine, loop=loop, eager_start=True, context=context)
        if not task.done():
            running.add(task)
            task.add_done_callback(running.discard)

else:

    class CoroutineRunner:
        """Runs a coroutine as an eager task would; `running` holds it until it ends.

        Python 3.11 has no eager tasks. Two limits follow: `asyncio.current_task()` is None in the coroutine, which
        `asyncio.timeout` and anyio don't accept; and nothing else may await a future that it awaits, so shared ones
        need `asyncio.shield`. For the second waiter asyncio raises "await wasn't used with future".
        """

        __slots__ = ("_awaited", "_context", "_coroutine", "_running")

        def __init__(self, coroutine: Coroutine[Any, Any, None], running: set[Any], context: Context) -> None:
            self._coroutine, self._running, self._context = coroutine, running, context
            self._awaited: asyncio.Future[Any] | None = None
            running.add(self)
            context.run(self._step)

        def _step(self, _: Any = None) -> None:
            """Run until the next future: https://docs.python.org/3/reference/datamodel.html#coroutine-objects."""
            try:
                self._awaited = awaited = self._coroutine.send(None)
            except StopIteration:
                self._running.discard(self)
                return
            if awaited is None:  # asyncio.sleep(0)
                asyncio.get_running_loop().call_soon(self._step, context=self._context)
            else:
                awaited.add_done_callback(self._step, context=self._context)

        def cancel(self, msg: str | None = None) -> None:
            """Cancel what it waits for. uvicorn calls this when stopping takes too long."""
            if self._awaited:
                self._awaited.cancel(msg)

    start = CoroutineRunner


def start_task(coroutine: Coroutine[Any, Any, None], running: set[Any], context: Context) -> None:
    """Run a coroutine as a task in this context from the next event loop iteration on; `running` holds it too."""
    task = asyncio.get_running_loop().create_task(coroutine, context=context)
    task.add_done_callback(running.discard)
    running.add(task)
