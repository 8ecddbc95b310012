"""The gunicorn worker: runs uvicorn's server, and stops without losing a request."""

import asyncio
import itertools
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import FrameType

import uvicorn
from uvicorn_worker import UvicornWorker

from ML.config.config import settings
from rest_api.server.connection import Connection
from rest_api.server.pool import pool_of
from rest_api.telemetry import prometheus

BOOT_ERROR = 3
"""Exit code that makes gunicorn stop instead of starting another worker: the app can't start."""


class Server(uvicorn.Server):
    """uvicorn's server. After SIGTERM it reports that it is not ready, and keeps serving for SHUTDOWN_DELAY seconds.

    `drain` is called when that time begins, `heartbeat` every `interval` seconds.
    """

    def __init__(
        self, config: uvicorn.Config, drain: Callable[[], None], heartbeat: Callable[[], None], interval: float
    ) -> None:
        super().__init__(config)
        self._drain, self._heartbeat, self._interval = drain, heartbeat, interval
        self._stopping = False

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, serve, and return after a signal."""
        self._loop = asyncio.get_running_loop()
        self._pool = pool_of(self._loop)
        beat = asyncio.create_task(self._beat())
        await super().serve(sockets)
        beat.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, but serve the connections that wait at the listener: closing it would reset them."""
        most = settings().max_connections  # under a flood there is always one more
        waiting = [accepted for listener in sockets or [] for accepted in itertools.islice(_waiting(listener), most)]
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for accepted in waiting:
            with suppress(OSError):  # its client is gone: the others still get their answers
                await self._loop.connect_accepted_socket(self._connection, accepted, ssl=self.config.ssl)
        await super().shutdown()

    def _connection(self) -> Connection:
        return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal. Runs in the event loop's thread, between any two instructions."""
        first, self._stopping = not self._stopping, True
        # Clients then send their next request over a new connection, which reaches another server once this one
        # accepts no more.
        self._pool.close_connections()
        if sig == signal.SIGTERM and first and self.started and (delay := settings().shutdown_delay):
            self._drain()
            self._loop.call_soon_threadsafe(self._loop.call_later, delay, super().handle_exit, sig, frame)
        else:
            super().handle_exit(sig, frame)

    async def _beat(self) -> None:
        """Tell gunicorn that the event loop runs: also while models load at the start, and while requests finish."""
        while True:
            self._heartbeat()
            await asyncio.sleep(self._interval)


def _waiting(listener: socket.socket) -> Iterator[socket.socket]:
    """Accept and yield the connections that wait at a listener."""
    with suppress(OSError):  # none is left, or no file descriptor for it
        while True:
            yield listener.accept()[0]


class Worker(UvicornWorker):  # type: ignore[misc]
    """The worker class that gunicorn-config.py names."""

    CONFIG_KWARGS = {  # noqa: RUF012
        "loop": "uvloop",
        "http": Connection,
        "server_header": False,
        "headers": [("X-Content-Type-Options", "nosniff")],  # in every response
    }

    place: int
    """Number of this worker, from 0. A worker that replaces another gets its number."""

    def take_place(self, others: Iterable["Worker"]) -> None:
        """Take the lowest number that none of the other workers has. gunicorn's pre_fork hook calls this."""
        taken = {other.place for other in others}
        self.place = next(place for place in itertools.count() if place not in taken)

    def run(self) -> None:
        """Serve until a signal ends the process. Exit with BOOT_ERROR if the app can't start."""
        prometheus.use_number(self.place)
        self.config.app = self.wsgi
        signal.signal(signal.SIGQUIT, self.handle_exit)
        drain = getattr(self.wsgi, "drain", lambda: None)
        server = Server(self.config, drain, self.notify, self.timeout / 2)
        server.run(self.sockets)
        if not server.started:
            sys.exit(BOOT_ERROR)
