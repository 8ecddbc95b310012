"""Every row gets its own prediction, for any size, route, model speed and concurrent callers."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import aiohttp
import doors
import pytest
from doors import DEFAULT, NAMED, SPEEDS, check, session
from server import Server

SIZES = [1, 2, 843, 999, 1000, 1001, 1002, 1999, 2000, 2001, 3001, 10_001]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    return doors.start(serve, fork, coverage=False, WEB_CONCURRENCY="1")


@pytest.mark.parametrize("model", SPEEDS)
@pytest.mark.parametrize("route", NAMED)
def test_every_row_has_its_prediction_for_any_size(server: Server, route: str, model: str) -> None:
    async def run() -> None:
        async with session(server) as client:
            for rows in SIZES:
                await check(client, NAMED[route], model, rows)

    asyncio.run(run())


@pytest.mark.parametrize("route", DEFAULT)
def test_every_row_has_its_prediction_by_the_routes_of_the_default_model(server: Server, route: str) -> None:
    async def run() -> None:
        async with session(server) as client:
            for rows in SIZES:
                await check(client, DEFAULT[route], "quick", rows)

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(3))
def test_every_row_has_its_prediction_beside_other_callers(server: Server, seed: int) -> None:
    """Sizes from 1 to 50,000, most of them small or about the size of a batch, on all routes and models at once."""
    draw = random.Random(seed)

    def size() -> int:
        around = draw.choice([1000, 2000, 3000, 5000]) + draw.randint(-2, 2)
        return draw.choice([1, draw.randint(1, 60), draw.randint(1, 2000), around])

    async def caller(client: aiohttp.ClientSession, number: int) -> None:
        for turn in range(6):
            route, ask = draw.choice([*NAMED.items(), *DEFAULT.items()])
            model = draw.choice([*SPEEDS]) if route in NAMED else "quick"
            rows = 50_000 if number == 0 and turn % 3 == 0 else size()
            await check(client, ask, model, rows, first=1_000_000.0 * number)

    async def run() -> None:
        async with session(server) as client:
            await asyncio.gather(*[caller(client, number) for number in range(24)])

    asyncio.run(run())
