"""What the client of a connection may take in time, bytes and number."""

import asyncio
from functools import cache
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ML.config.config import settings
from rest_api import metrics
from rest_api.outbox import OneWrite, Outbox

MOST_HEAD = 64 * 1024
"""Bytes of a request's line and headers; the parser itself would take any number."""

PARTING = 0.3
"""Seconds that an idle connection stays open at the end: a request may be on its way."""

_outbox = cache(Outbox)


class Limited(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits. One timer looks after a connection, not one for each request."""

    silent: ClassVar[dict["Limited", None]] = {}
    """Connections that have sent nothing yet, the oldest first."""

    _begun = 0.0
    _answered = 0.0
    _head = 0
    _timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop for each connection."""
        super().connection_made(OneWrite(transport, _outbox(self.loop), self.tasks))  # type: ignore[arg-type]
        self._seconds = settings().read_timeout
        self._begun = self.loop.time()
        self._every = max(1, min(self._seconds, self.timeout_keep_alive))
        self._timer = self.loop.call_later(self._every, self._look)
        self.silent[self] = None
        if len(self.connections) > settings().max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop once it is closed."""
        self.silent.pop(self, None)
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop with what has come."""
        before = self.cycle
        super().data_received(data)
        # Where another request was whole in it, most of the data may have been that one's.
        if self._begun and self.cycle is before and not self._in_body:
            self._head += len(data)
            if self._head > MOST_HEAD:
                metrics.refused("headers")
                self._refuse(431, f"The request's head is larger than {MOST_HEAD} bytes; send fewer or shorter headers")

    def on_message_begin(self) -> None:
        """Called by the parser for each request."""
        self.silent.pop(self, None)
        self._begun, self._head = self.loop.time(), 0
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Called by the parser when a request is whole."""
        self._begun = 0.0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Called when an answer is written. uvicorn would set a timer for each; `_look` does for all."""
        self._answered = self.loop.time()
        if self.pipeline:
            super().on_response_complete()
        else:
            self.server_state.total_requests += 1
            if not self.transport.is_closing():
                self.flow.resume_reading()

    def shutdown(self) -> None:
        """Called by the server for the end: what is idle now may yet have a request on its way."""
        if self._idle:
            self.loop.call_later(PARTING, self._part)
        else:
            super().shutdown()

    def _part(self) -> None:
        if self._idle:
            self.transport.close()

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def _in_body(self) -> bool:
        return self.cycle is not None and self.cycle.scope is self.scope

    def _look(self) -> None:
        """Looks whether the client is late with a request, and says when to look again: no timer for each of them."""
        now = self.loop.time()
        if self._begun and not self.flow.read_paused:
            left = self._begun + self._seconds - now
        else:  # nothing is awaited, or it is we who don't read
            self._begun = self._begun and now
            left = self._answered + self.timeout_keep_alive - now if self._idle else self._every
        if left > 0:
            self._timer = self.loop.call_later(min(left, self._every), self._look)
        elif not self._begun or self in self.silent:
            self.transport.close()
        else:
            metrics.refused("read timeout")
            self._refuse(408, f"The request took longer to arrive than the {self._seconds} s of READ_TIMEOUT")

    def _make_room(self) -> None:
        """Closes a connection for this one: the oldest that sent nothing, one between two requests, or this one."""
        metrics.refused("connections")
        oldest = next(iter(self.silent))
        if oldest is not self:
            oldest.transport.close()
            return
        between = (c for c in self.connections if c is not self and isinstance(c, Limited) and c._idle and not c._begun)
        if other := next(between, None):
            other.transport.close()
        else:
            self._refuse(503, "All connections are in use; try again, or raise MAX_CONNECTIONS")

    def _refuse(self, status: int, detail: str) -> None:
        """Answers, unless an answer was begun, and closes."""
        if self._idle or (self._in_body and not self.cycle.response_started):
            if not self._idle:
                self.scope.setdefault("state", {})["refused"] = status
            body = b'{"detail":"%s"}' % detail.encode()
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
