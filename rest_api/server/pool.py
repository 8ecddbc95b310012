"""What the connections of a worker share: the buffer for writes, the default headers, room for another connection."""

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

from ML.config.config import settings
from rest_api.server.exchange import CLOSE, Headers, lines
from rest_api.server.write_buffer import WriteBuffer
from rest_api.telemetry import counts


class Connection(Protocol):
    """What is asked of a connection that may have to make room."""

    transport: Any

    @property
    def between_requests(self) -> bool:
        """Whether nothing is under way in either direction."""

    def turn_away(self) -> None:
        """Answer that there is no room, and close."""


HELD_BODIES = 4
"""So many of the largest bodies may a worker keep at once: those on their way, and those that are not answered yet."""

RETRY_SECONDS = 5


class Pool:
    """One for a worker's event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.buffer = WriteBuffer(loop)
        self.silent: dict[Connection, None] = {}
        """Connections that have sent nothing yet, the oldest first."""
        self._held, self._max_held = 0, HELD_BODIES * settings().max_body_bytes
        self._headers: Headers = []
        self._lines = b"", False
        self._closing = False

    def default_lines(self, headers: Headers) -> tuple[bytes, bool]:
        """Return the headers of all answers as they are written, and whether connections close. uvicorn makes a new
        list every second."""
        if headers is not self._headers:
            found = [*headers, CLOSE] if self._closing and CLOSE not in headers else headers
            self._headers, self._lines = headers, (lines(found), CLOSE in found)
        return self._lines

    def close_connections(self) -> None:
        """Close each connection after its next response from now on. Safe to call from a signal handler."""
        self._closing = True
        self._headers = []  # makes default_lines() build them again

    def hold(self, size: int) -> bool:
        """Count bytes of bodies that are kept. Return whether there is room for them."""
        if self._held + size > self._max_held:
            counts.refused("held bodies")
            return False
        self._held += size
        return True

    def release(self, size: int) -> None:
        """Take note that they are gone."""
        self._held -= size

    def make_room(self, new: Connection, others: Iterable[Any]) -> None:
        """Close a connection for this one: the oldest that sent nothing, one between two requests, or this one."""
        counts.refused("connections")
        oldest = next(iter(self.silent))
        if oldest is not new:
            oldest.transport.close()
        elif other := next((each for each in others if each is not new and each.between_requests), None):
            other.transport.close()
        else:
            new.turn_away()


@cache
def pool_of(loop: asyncio.AbstractEventLoop) -> Pool:
    """Return the pool of a loop."""
    return Pool(loop)
