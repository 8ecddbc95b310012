"""A load-generating process: its share of the connections and requests, on its own event loop."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection

import aiohttp
import uvloop
from yarl import URL

from testing.load.shot import REFUSED, Shot
from testing.load.tally import Tally

GONE = "no server answers there ({}); `make run` starts one, --url names another"
TELL = 0.2  # seconds between two messages to the parent
PATIENCE = 300.0  # seconds without any answer


@dataclass(frozen=True)
class Order:
    """The work of one process."""

    shot: Shot
    concurrency: int
    n: int | None  # requests; None: until the seconds are over
    duration: float  # seconds


def main(order: Order, parent: Connection) -> None:
    """Report readiness, wait for the start, send the requests and report the results until the end."""
    with suppress(EOFError, OSError):  # the parent has gone, and nobody is left to tell
        parent.send(None)
        uvloop.run(Firing(order, parent, started=parent.recv()).run())


@dataclass
class Firing:
    """The requests of one process."""

    order: Order
    parent: Connection
    started: float  # by the clock that all processes share
    tally: Tally = field(default_factory=Tally)  # since the last message
    checked: bool = False  # whether an answer's content was looked at
    over: bool = False
    run_id: str = field(default_factory=lambda: os.urandom(4).hex())

    async def run(self) -> None:
        """Send requests until none is left, and report the counts from time to time."""
        asyncio.get_running_loop().add_reader(self.parent.fileno(), self.stop)
        # What costs time and serves nobody here is off: cookies, a timer for each request, the connector's queue.
        connector, jar, timeout = aiohttp.TCPConnector(limit=0), aiohttp.DummyCookieJar(), aiohttp.ClientTimeout(None)
        headers = self.order.shot.headers
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=jar, timeout=timeout, headers=headers
        ) as client:
            turns = self.turns()
            callers = [asyncio.create_task(self.call(client, turns)) for _ in range(self.order.concurrency)]
            await self.tell_until_done(callers)
            for caller in callers:
                if caller.done():
                    caller.result()  # raises what should never happen

    def stop(self) -> None:
        """Stop when the parent says so or has exited. Running requests still finish."""
        asyncio.get_running_loop().remove_reader(self.parent.fileno())
        self.over = True

    def turns(self) -> Iterator[int]:
        """Yield the number of each request, shared by all callers."""
        end = self.started + self.order.duration
        for number in range(self.order.n) if self.order.n is not None else count():
            if self.over or time.monotonic() >= end:
                return
            yield number

    async def call(self, client: aiohttp.ClientSession, turns: Iterator[int]) -> None:
        """Send and count requests as one caller until none is left."""
        url, bodies, clock = URL(self.order.shot.url), self.order.shot.bodies, time.monotonic
        for number in turns:
            began = clock()
            fresh = {"X-Request-ID": f"{self.run_id}{number:08x}"}  # as proxies send: no two requests are the same
            try:
                # Not `async with`: reading to the end gives the connection back, at a tenth less of the time.
                response = await client.post(
                    url, data=bodies[number % len(bodies)], headers=fresh, allow_redirects=False
                )
                answer, outcome = await response.read(), response.status
            except (aiohttp.ClientError, TimeoutError) as error:
                self.fail(error, began)
                continue
            now = clock()
            self.tally.add(outcome, now - began, now - self.started)
            if outcome != 200 or not self.checked:
                self.look(outcome, answer)

    def fail(self, error: Exception, began: float) -> None:
        """Count a request without an answer. Stop if no server is listening any more."""
        now, name = time.monotonic(), type(error).__name__
        self.tally.add(name, now - began, now - self.started)
        self.tally.complaint = self.tally.complaint or f"{name}: {error}"
        if isinstance(error, aiohttp.ClientConnectorError):
            self.give_up(GONE.format(error))

    def look(self, outcome: int, answer: bytes) -> None:
        """Read the first good answer and every bad one. Only count the other good ones."""
        if outcome == 401:
            self.give_up(REFUSED)
        if outcome != 200:
            self.tally.complaint = self.tally.complaint or f"{outcome}: {answer[:500].decode(errors='replace')}"
            return
        self.checked = True
        try:
            self.tally.rows = self.order.shot.rows_in(answer)
        except ValueError as error:
            self.give_up(f"the answer {error}: {answer[:200].decode(errors='replace')}")

    def give_up(self, reason: str) -> None:
        """Stop everything, because no further request can succeed."""
        self.tally.hopeless = self.tally.hopeless or reason
        self.over = True

    async def tell_until_done(self, callers: "list[asyncio.Task[None]]") -> None:
        """Send the parent the counts since the last report. Give up if the server no longer answers."""
        answered, pending = time.monotonic(), set(callers)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=TELL)
            told, self.tally = self.tally, Tally()
            answered = time.monotonic() if told.done else answered
            if silent := pending and time.monotonic() - answered > PATIENCE:
                told.hopeless = f"no answer for {PATIENCE:g} seconds"
            self.parent.send(told)
            if silent:
                return
