"""Half an hour of mixed load with kills and trainings: every answer is complete and correct, and memory stays flat.

`make test-soak`, or `make test-soak MINUTES=5` for less.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import doors
import pytest
from doors import DEFAULT, NAMED, SPEEDS, TABLE, NotAnswered, check, session
from server import Server

pytestmark = [
    pytest.mark.soak,
    pytest.mark.exclusive,
    pytest.mark.timeout(0),
    # A connection whose worker was killed is not closed by the client that gave it up.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
]

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
CALLERS = 16
ROUTES = [(route, ask) for route, ask in {**NAMED, **DEFAULT}.items() if "versions" not in route]
"""The trainings replace version 1."""

LOST = "lost with a killed worker"
MOST_GROWTH = 1.15
"""Of the worker that nobody kills, from the second quarter of the time to the last."""


@dataclass
class Story:
    """What has happened so far."""

    server: Server
    until: float
    draw: random.Random
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until


def memory(pid: int) -> int:
    """Return a worker's private memory in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))


async def call(story: Story, number: int) -> None:
    """Send requests of mostly small or batch-sized tables, to any route, sometimes on a new connection."""
    while story.goes_on:
        async with session(story.server) as client:
            for _ in range(story.draw.randint(1, 40)):
                if not story.goes_on:
                    return
                await ask(story, client, number)


async def ask(story: Story, client: aiohttp.ClientSession, number: int) -> None:
    draw = story.draw
    route, function = draw.choice(ROUTES)
    model = draw.choice([*SPEEDS]) if route in NAMED else "quick"
    around = draw.choice([1000, 2000, 3000]) + draw.randint(-2, 2)
    rows = draw.choices([1, draw.randint(1, 60), draw.randint(1, 2000), around, 50_000], [40, 30, 15, 14, 0.1])[0]
    try:
        await check(client, function, model, rows, first=1_000_000.0 * number + draw.randint(0, 1000))
        story.outcomes["right"] += 1
    except aiohttp.ClientError:
        story.outcomes[LOST] += 1
    except (NotAnswered, AssertionError) as error:
        story.wrong.append(f"{route} {model} {rows} rows: {error!r}")


async def kill(story: Story) -> None:
    """Kill, end or stop a worker about every ten seconds. The first one is left alone: its memory is measured."""
    spared = min(story.server.workers)
    while story.goes_on:
        await asyncio.sleep(story.draw.uniform(5, 15))
        others = [pid for pid in story.server.workers if pid != spared]
        story.memory.append(memory(spared))
        if others:
            how = story.draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
            os.kill(story.draw.choice(others), how)
            story.outcomes[how.name] += 1


async def train(story: Story) -> None:
    """Train each model anew from time to time: its predictions stay the same, its version does not."""
    while story.goes_on:
        await asyncio.sleep(20)
        model = story.draw.choice([*SPEEDS])
        form = aiohttp.FormData({"target_variable": "y", "model": model, "force": "true"})
        form.add_field("csv_file", TABLE, filename="table.csv")
        try:
            async with session(story.server) as client, client.post("/train_model", data=form) as answer:
                story.outcomes[f"trained {answer.status}"] += 1
        except aiohttp.ClientError:
            story.outcomes["training lost with a killed worker"] += 1


def test_every_answer_is_complete_and_correct_and_memory_stays_flat(
    serve: Callable[..., Server], fork: Callable[..., Path]
) -> None:
    server = doors.start(serve, fork, WEB_CONCURRENCY="2")
    seed = int(time.time())
    story = Story(server, time.monotonic() + 60 * MINUTES, random.Random(seed))

    async def run() -> None:
        await asyncio.gather(kill(story), train(story), *[call(story, number) for number in range(CALLERS)])

    asyncio.run(run())
    quarter = max(1, len(story.memory) // 4)
    # The first quarter warms up: buffers and arenas grow to what the largest requests need.
    parts = story.memory[quarter : 2 * quarter], story.memory[-quarter:]
    early, late = (sorted(part)[len(part) // 2] for part in parts)
    print(f"seed {seed}: {dict(story.outcomes)}; memory {early / 2**20:.0f} MB, at the end {late / 2**20:.0f} MB")
    assert not story.wrong, story.wrong[:10]
    # Each caller has one request at a time, and only a worker that is killed takes one with it.
    assert story.outcomes[LOST] <= CALLERS * (story.outcomes["SIGKILL"] + story.outcomes["SIGSTOP"])
    assert story.outcomes["right"] > 100 * MINUTES
    assert late < MOST_GROWTH * early
