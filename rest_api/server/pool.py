"""What the connections of a worker share: the buffer for writes, the default headers, room for another connection."""

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

from rest_api import metrics
from rest_api.server.exchange import CLOSE, Headers, lines
from rest_api.server.write_buffer import WriteBuffer


class Connection(Protocol):
    """What is asked of a connection that may have to make room."""

    transport: Any

    @property
    def between_requests(self) -> bool:
        """Whether nothing is under way in either direction."""

    def turn_away(self) -> None:
        """Answer that there is no room, and close."""


class Pool:
    """One for a worker's event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.buffer = WriteBuffer(loop)
        self.silent: dict[Connection, None] = {}
        """Connections that have sent nothing yet, the oldest first."""
        self._headers: Headers = []
        self._lines = b"", False

    def default_lines(self, headers: Headers) -> tuple[bytes, bool]:
        """Return the headers of all answers as they are written, and whether connections close. uvicorn makes a new
        list every second."""
        if headers is not self._headers:
            self._headers, self._lines = headers, (lines(headers), CLOSE in headers)
        return self._lines

    def make_room(self, new: Connection, others: Iterable[Any]) -> None:
        """Close a connection for this one: the oldest that sent nothing, one between two requests, or this one."""
        metrics.refused("connections")
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
