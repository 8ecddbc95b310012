"""What a turn of the event loop brings is written together: a client on another core then wakes once, not each time."""

import asyncio
from collections.abc import Sized
from typing import Any

ENOUGH = 64 * 1024


class Outbox:
    """The connections that have something to write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._full: list[OneWrite] = []

    def add(self, transport: "OneWrite") -> None:
        """Has it flushed at the end of the turn."""
        if not self._full:
            self._loop.call_soon(self._flush)
        self._full.append(transport)

    def _flush(self) -> None:
        full, self._full = self._full, []
        for transport in full:
            transport.flush()


class OneWrite:
    """A transport that keeps what is written until the end of the turn, or until it is much."""

    def __init__(self, transport: asyncio.Transport, outbox: Outbox, tasks: Sized) -> None:
        self._transport, self._outbox, self._tasks = transport, outbox, tasks
        self._parts: list[bytes] = []
        self._size = 0
        # Asked for with each answer; __getattr__ would take longer.
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keeps the data."""
        if not self._parts:
            self._outbox.add(self)
        self._parts.append(data)
        self._size += len(data)
        if self._size > ENOUGH:
            self.flush()

    def answer(self, data: bytes) -> None:
        """Writes a whole answer; at once where no other request is under way."""
        if len(self._tasks) > 1 or self._parts:
            self.write(data)
        elif not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Closes the connection once everything is written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Writes what was kept, unless the client has gone: uvloop would raise, and others wait for their turn."""
        parts, self._parts, self._size = self._parts, [], 0
        if parts and not self.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
