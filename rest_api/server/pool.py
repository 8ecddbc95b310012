"""What a worker's connections share: the write buffer, the default headers, and the limits on all of them together."""

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

from ML.config.config import settings
from rest_api.server.messages.refusals import HELD_BODIES
from rest_api.server.messages.responses import CLOSE, Headers, lines
from rest_api.server.write_buffer import BufferedTransport, WriteBuffer
from rest_api.telemetry import counts


class Connection(Protocol):
    """What the pool needs of a connection."""

    transport: BufferedTransport

    @property
    def between_requests(self) -> bool:
        """Whether no request is arriving, and no response is awaited."""

    def turn_away(self) -> None:
        """Refuse this connection, as there are too many, and close it."""


class Pool:
    """Shared by the connections of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.buffer = WriteBuffer(loop)
        self.silent: dict[BufferedTransport, None] = {}
        """The transports of connections that have sent nothing yet, the oldest first."""
        self._held, self._max_held = 0, HELD_BODIES * settings().max_body_bytes
        self._headers: Headers = []
        self._lines = b"", False
        self._closing = False

    def default_lines(self, headers: Headers) -> tuple[bytes, bool]:
        """Return the header lines of every response, and whether connections close after it.

        The lines are built again when uvicorn passes a new list, each second.
        """
        if headers is not self._headers:
            found = [*headers, CLOSE] if self._closing and CLOSE not in headers else headers
            self._headers, self._lines = headers, (lines(found), CLOSE in found)
        return self._lines

    def close_connections(self) -> None:
        """Close each connection after its next response from now on. Safe to call from a signal handler."""
        self._closing = True
        self._headers = []  # makes default_lines() build them again

    def hold(self, size: int) -> bool:
        """Count bytes of bodies in memory. Return False, and count nothing, if there is no room for them."""
        if self._held + size > self._max_held:
            counts.refused("held bodies")
            return False
        self._held += size
        return True

    def release(self, size: int) -> None:
        """Give back bytes that `hold` counted."""
        self._held -= size

    def make_room(self, new: Connection, others: Iterable[Any]) -> None:
        """Close the oldest connection that sent nothing, else one between two requests, else refuse the new one."""
        counts.refused("connections")
        oldest = next(iter(self.silent))
        if oldest is not new.transport:
            oldest.close()
        elif other := next((each for each in others if each is not new and each.between_requests), None):
            other.transport.close()
        else:
            new.turn_away()


@cache
def pool_of(loop: asyncio.AbstractEventLoop) -> Pool:
    """Return the pool of an event loop."""
    return Pool(loop)
