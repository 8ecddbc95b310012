"""The uvicorn worker of gunicorn: how it starts, and how it ends without losing a request."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

import uvicorn
from uvicorn_worker import UvicornWorker

from ML.config.config import settings
from rest_api.server.connection import Connection
from rest_api.telemetry import prometheus

CLOSE = (b"connection", b"close")
BOOT_ERROR = 3
"""The exit code by which gunicorn sees that the app can't start, and ends."""


class Server(uvicorn.Server):
    """uvicorn's server. After SIGTERM it says it is not ready, but serves on for SHUTDOWN_DELAY seconds."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to accept, but serve what the system accepted already: closing the listener would reset that."""
        waiting = [accepted for listener in sockets or [] for accepted in _waiting(listener)]
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for accepted in waiting:
            await self._loop.connect_accepted_socket(self._connection, accepted, ssl=self.config.ssl)
        await super().shutdown()

    def _connection(self) -> Connection:
        return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called for a signal, on the loop's thread but at any moment."""
        first = CLOSE not in self.config.encoded_headers
        # Clients that hear it send their next request on another connection: to another server, once we accept no more.
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        if sig == signal.SIGTERM and first and self.started and (delay := settings().shutdown_delay):
            self.config.app.drain()  # type: ignore[union-attr]
            self._loop.call_soon_threadsafe(self._loop.call_later, delay, super().handle_exit, sig, frame)
        else:
            super().handle_exit(sig, frame)


def _waiting(listener: socket.socket) -> Iterator[socket.socket]:
    """Accept the connections that wait at a listener."""
    with suppress(BlockingIOError, InterruptedError):  # another worker may take the last one
        while True:
            yield listener.accept()[0]


class Worker(UvicornWorker):  # type: ignore[misc]
    """What gunicorn runs."""

    CONFIG_KWARGS = {  # noqa: RUF012
        "loop": "uvloop",
        "http": Connection,
        "server_header": False,
        "headers": [("X-Content-Type-Options", "nosniff")],  # of every answer
    }

    place: int
    """Which of the workers' places it has; gunicorn-config.py gives it before the fork."""

    async def _serve(self) -> None:
        prometheus.use_number(self.place)
        self.config.app = self.wsgi
        server = Server(self.config)
        self._install_sigquit_handler()
        beat = asyncio.create_task(self._beat())
        await server.serve(sockets=self.sockets)
        beat.cancel()
        if not server.started:
            sys.exit(BOOT_ERROR)

    async def _beat(self) -> None:
        """Tell gunicorn that the event loop is alive, also at start, while models load, and at the end."""
        while True:
            self.notify()
            await asyncio.sleep(self.timeout / 2)
