"""The uvicorn worker of gunicorn, with an answer's head and body in one write to its socket."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

ENOUGH = 64 * 1024


class OneWrite:
    """A transport that writes what a turn of the event loop brings at once.

    uvicorn writes an answer's head and its body, and uvloop calls the kernel for each: a tenth of a quick prediction.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keeps the data until the end of the turn, or until it is much."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > ENOUGH:
            self._flush()

    def close(self) -> None:
        """Closes the connection once everything is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts, self._size = [], 0


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol on such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop for each connection."""
        super().connection_made(OneWrite(transport))  # type: ignore[arg-type]


class Worker(UvicornWorker):  # type: ignore[misc]
    """What gunicorn runs."""

    CONFIG_KWARGS = {"loop": "uvloop", "http": Protocol, "server_header": False}  # noqa: RUF012
