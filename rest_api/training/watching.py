"""Watches the process of a training until it ends, and stops it if memory runs low."""

import asyncio
import time

from ML.training import failures, memory, process
from ML.training.starting import Process
from ML.versions import store
from ML.versions.card import Card
from rest_api.telemetry import counts

POLL_SECONDS = 0.02
"""How often to check whether a training has ended."""

BYTES_PER_SECOND = 4e9
"""The fastest that a training can allocate memory. It determines when to check again how much is left."""

MIN_CHECK_SECONDS = 0.005
"""Minimum time between two checks of the memory."""

_tasks: set[asyncio.Task[Card]] = set()
"""The tasks that watch trainings. The event loop keeps only weak references, so they could be collected otherwise.

It belongs to the module, not to the app: a task is added by `start`, removes itself, and nothing else reads the set.
"""


def start(card: Card, run: Process) -> asyncio.Task[Card]:
    """Return a task that watches the process, and returns the card when it has ended."""
    task = asyncio.create_task(_watch(card, run))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def _watch(card: Card, run: Process) -> Card:
    """Return the card after the process has ended. Stop the process if memory runs low, which would stall serving."""
    check_at = 0.0
    while (code := run.poll()) is None:
        if (now := time.monotonic()) >= check_at:
            if (bytes_left := memory.bytes_left()) < 0:
                run.send_signal(process.OUT_OF_MEMORY)
            check_at = now + max(bytes_left / BYTES_PER_SECOND, MIN_CHECK_SECONDS)
        await asyncio.sleep(min(POLL_SECONDS, check_at - now))
    # Another worker that checks whether the training is alive may hold its lock at this moment.
    while (ended := await asyncio.to_thread(_ended_card, card, code)).state == "training":  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    counts.trained(ended.model, ended.state)
    return ended


def _ended_card(card: Card, exit_code: int) -> Card:
    return failures.mark_if_dead(store.read(card.model, card.version), exit_code)
