"""Time limits for a client: to send a request, to read its response, and to send the next request."""

import asyncio
from collections.abc import Callable
from contextvars import Context

from rest_api.server.write_buffer import BufferedTransport

MIN_TAKEN_BYTES = 16 * 1024
"""Bytes of a response that a client must read within each WRITE_TIMEOUT, unless fewer are left."""


class Deadlines:
    """The time limits of one connection. They share one timer, as a timer for each request would cost more.

    Calls `late` when a request, or the next one, does not arrive in time, and `stuck` when the client does not read its
    response. `idle` returns whether no response is awaited. `seconds` are the limits to read a request, to write a
    response, and between two requests.
    """

    __slots__ = (
        "_answered",
        "_begun",
        "_idle",
        "_idle_seconds",
        "_interval",
        "_late",
        "_loop",
        "_paused",
        "_read_seconds",
        "_stuck",
        "_stuck_since",
        "_taken",
        "_timer",
        "_transport",
        "_write_seconds",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: BufferedTransport,
        seconds: tuple[float, float, float],
        late: Callable[[], None],
        idle: Callable[[], bool],
        stuck: Callable[[], None],
    ) -> None:
        self._loop, self._transport, self._late, self._idle, self._stuck = loop, transport, late, idle, stuck
        self._read_seconds, self._write_seconds, self._idle_seconds = seconds
        self._interval = max(1.0, min(self._read_seconds, self._write_seconds / 2, self._idle_seconds))
        self._paused = False
        self._begun = loop.time()
        self._answered = 0.0
        self._taken, self._stuck_since = 0, 0.0
        self._timer = self._later(self._interval)

    def request_begins(self) -> None:
        """Start the time in which a request must arrive."""
        self._begun = self._loop.time()

    def request_ends(self) -> None:
        """End that time: the request has arrived."""
        self._begun = 0.0

    def answered(self) -> None:
        """Start the time in which the next request must begin."""
        self._answered = self._loop.time()

    def pause(self) -> None:
        """Stop the time in which a request must arrive, while the server does not read."""
        self._paused = True

    def go_on(self) -> None:
        """Let that time run again."""
        self._paused = False

    def close(self) -> None:
        """Stop the timer. Break the reference cycle with the connection, as the garbage collector seldom runs."""
        self._timer.cancel()
        del self._late, self._idle, self._stuck

    def _later(self, seconds: float) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, self._check, context=Context())

    def _check(self) -> None:
        now = self._loop.time()
        if self._is_stuck(now):
            self._stuck()
            return
        left = self._left(now)
        if left > 0 or self._transport.is_closing():
            self._timer = self._later(max(0.01, min(left, self._interval)) if left > 0 else self._interval)
        else:
            self._late()

    def _left(self, now: float) -> float:
        if self._begun and not self._paused:
            return self._begun + self._read_seconds - now
        self._begun = self._begun and now
        return self._answered + self._idle_seconds - now if self._idle() else self._interval

    def _is_stuck(self, now: float) -> bool:
        """Return whether the client has read less than MIN_TAKEN_BYTES for WRITE_TIMEOUT."""
        pending = self._transport.pending
        if not pending:
            self._stuck_since = 0.0
            return False
        taken = self._transport.written - pending
        if not self._stuck_since or taken - self._taken >= MIN_TAKEN_BYTES:
            self._taken, self._stuck_since = taken, now
        return now - self._stuck_since >= self._write_seconds
