"""A connection: the protocol class for uvicorn's `http=`. The event loop calls it; exchange_queue.py does the rest."""

import asyncio
import contextvars
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from ML.config.config import settings
from rest_api.server.deadlines import Deadlines
from rest_api.server.exchange_queue import ExchangeQueue
from rest_api.server.link import Link
from rest_api.server.messages import refusals
from rest_api.server.messages.refusals import Refused
from rest_api.server.messages.scopes import Scopes
from rest_api.server.pool import pool_of
from rest_api.server.write_buffer import BufferedTransport
from rest_api.telemetry import counts

PARTING_SECONDS = 0.3
"""How long an idle connection stays open when the server stops: a request may be on its way."""


class Connection(asyncio.Protocol):
    """A client's connection. uvicorn makes one for each client, and calls `shutdown` when the server stops."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._loop = _loop or asyncio.get_running_loop()
        self._config, self._state, self._app_state = config, server_state, app_state
        self._pool = pool_of(self._loop)
        self._context = contextvars.copy_context()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Prepare for requests; make room if there are too many connections."""
        self.transport = BufferedTransport(transport, self._pool.buffer, self._state.tasks)
        seconds = settings().read_timeout, settings().write_timeout, self._config.timeout_keep_alive
        self._deadlines = Deadlines(self._loop, self.transport, seconds, self._late, lambda: self.idle, self._stuck)
        self._link = Link(self._loop, self.transport, self._deadlines, self._context)
        self._queue = ExchangeQueue(
            self._config, self._state, self._context, self._pool,
            self._link, self._deadlines, Scopes(transport, self._app_state),
        )  # fmt: skip
        self._parser = self._queue.parser
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._pool.silent[self.transport] = None
        if len(self._state.connections) > settings().max_connections:
            self._pool.make_room(self, self._state.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._pool.silent.pop(self.transport, None)
        self._deadlines.close()
        self._state.connections.discard(self)
        self._queue.disconnect()
        self._link.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client, and begin a request whose head is complete."""
        queue, link = self._queue, self._link
        if link.linger_left:
            link.discard(len(data))
        if link.ignores_input:
            return
        try:
            self._parser.feed(data)
        except Refused as refused:
            queue.refuse(refused)
        if queue.ready:
            queue.begin_ready()

    def pause_writing(self) -> None:
        """Make the app wait: the client reads more slowly than the app writes."""
        self._link.pause_writing()

    def resume_writing(self) -> None:
        """Let the app go on: the client has taken most of what was written."""
        self._link.resume_writing()

    def turn_away(self) -> None:
        """Refuse this connection, as there are too many, and close it."""
        self._queue.turn_away()

    @property
    def idle(self) -> bool:
        """Whether no response is awaited."""
        return self._queue.running is None

    @property
    def between_requests(self) -> bool:
        """Whether no request is arriving, and no response is awaited."""
        return self._queue.running is None and not self._parser.in_request

    def shutdown(self) -> None:
        """Close after the response that is awaited, or soon if there is none. uvicorn calls this when it stops."""
        if self._queue.running is None:
            self._loop.call_later(PARTING_SECONDS, self._close_if_idle, context=self._context)
        else:
            self._queue.running.close_afterwards()

    def _close_if_idle(self) -> None:
        if self.idle:
            self.transport.close()

    def _late(self) -> None:
        """The request took longer than READ_TIMEOUT, or the client was idle for too long."""
        if self.transport in self._pool.silent or self._queue.last or not self._parser.in_request:
            self._link.close()
        else:
            self._queue.refuse(refusals.late(settings().read_timeout))

    def _stuck(self) -> None:
        """The client did not take enough of a response within WRITE_TIMEOUT."""
        counts.refused("write timeout")
        self._link.abort()
