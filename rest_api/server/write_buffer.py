"""Buffers writes until the end of the event loop iteration, so that a client wakes up once for all of them."""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Sized
from contextvars import Context
from typing import Any

FLUSH_BYTES = 64 * 1024
"""Write at once when more than this is buffered."""


class WriteBuffer:
    """The transports of an event loop that have buffered data."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[BufferedTransport] = []

    def add(self, transport: "BufferedTransport") -> None:
        """Flush this transport at the end of the event loop iteration."""
        if not self._waiting:
            self._loop.call_soon(self._flush, context=Context())  # not in that of the first request
        self._waiting.append(transport)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.flush()


class BufferedTransport:
    """A transport that buffers writes until the end of the event loop iteration, or up to FLUSH_BYTES."""

    def __init__(self, transport: asyncio.Transport, buffer: WriteBuffer, tasks: Sized) -> None:
        self._transport, self._buffer, self._tasks = transport, buffer, tasks
        self._parts: list[bytes] = []
        self._size = 0
        self._written = 0
        # Called for each response; __getattr__ would take longer.
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Buffer the data."""
        if not self._parts:
            self._buffer.add(self)
        self._parts.append(data)
        self._size += len(data)
        if self._size > FLUSH_BYTES:
            self.flush()

    def write_answer(self, data: bytes) -> None:
        """Write a whole response: at once if no other request is running, as nothing could be joined to it."""
        if len(self._tasks) > 1 or self._parts:
            self.write(data)
        elif not self.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def close(self) -> None:
        """Close once everything is written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write the buffered data, or drop it if the client is gone: if uvloop raised, other transports would wait."""
        parts, self._parts, self._size = self._parts, [], 0
        if parts and not self.is_closing():
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            self._written += len(data)
            self._transport.write(data)

    @property
    def pending(self) -> int:
        """Bytes that the client has not received yet: in uvloop's buffer and in the kernel's, which holds megabytes."""
        return self._transport.get_write_buffer_size() + _queued(self._transport.get_extra_info("socket"))

    @property
    def written(self) -> int:
        """Bytes written since the connection was made."""
        return self._written


def _queued(sock: Any) -> int:
    """Return the bytes in the kernel's send buffer (Linux: SIOCOUTQ, tcp(7)), or 0 if the system can't tell."""
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0
