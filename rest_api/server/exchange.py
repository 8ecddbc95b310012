"""One request and its response: the `scope`, `receive` and `send` that an ASGI app gets."""

import asyncio
import logging
from typing import Any, Protocol

from starlette.types import ASGIApp

from rest_api.server.link import Link
from rest_api.server.messages import refusals
from rest_api.server.messages.response_body import ResponseBody
from rest_api.server.messages.responses import CLOSE, STATUS_LINES, Headers, lines
from rest_api.server.pool import Pool
from rest_api.server.write_buffer import BufferedTransport

log = logging.getLogger("uvicorn.error")

HIGH_WATER_BYTES = 64 * 1024
"""Bytes of a body to buffer for the app. Above that, the server stops reading until the app has taken them."""


class Queue(Protocol):
    """What an exchange needs of its queue."""

    pool: Pool
    link: Link
    transport: BufferedTransport

    def default_lines(self) -> tuple[bytes, bool]:
        """Return the header lines of every response, and whether the connection closes after this one."""

    def resume_reading(self) -> None:
        """Read on, unless requests are waiting already."""

    def completed(self, exchange: "Exchange") -> None:
        """Begin the next request."""


class Exchange:
    """One request and its response. The parser adds to the body as it arrives."""

    __slots__ = (
        "_body", "_queue", "_read", "_response_body", "_waiter",
        "awaits_continue", "complete", "disconnected", "held", "keep_alive", "more_body", "scope", "size", "started",
    )  # fmt: skip

    def __init__(self, queue: Queue, scope: dict[str, Any], keep_alive: bool, awaits_continue: bool = False) -> None:
        self._queue, self.scope, self.keep_alive, self.awaits_continue = queue, scope, keep_alive, awaits_continue
        self.started = self.complete = self.disconnected = self._read = False
        self.more_body = True
        self.size = self.held = 0
        """Bytes of the body received, and how many of them the pool counts."""
        self._body: bytes | bytearray = b""
        self._waiter: asyncio.Future[None] | None = None

    def add(self, data: bytes) -> None:
        """Add a part of the body. Raise Refused if the worker holds too many bytes of bodies."""
        if self.complete:  # answered before it was read
            return
        self.size += len(data)
        if self.size > HIGH_WATER_BYTES and not self.hold(self.size - self.held):
            self.let_go()  # at once: others who are sending at this moment need the room
            raise refusals.too_many_bodies()
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytes):
            self._body = bytearray(self._body) + data
        else:
            self._body += data
        if len(self._body) > HIGH_WATER_BYTES:
            self._queue.link.pause_reading()
        self.wake()

    def end(self) -> None:
        """Take note that the body is complete."""
        self.more_body = False
        self.wake()

    def disconnect(self) -> None:
        """Take note that the client is gone."""
        self.disconnected = not self.complete
        self.wake()

    def wake(self) -> None:
        """Let `receive` check again whether it can return."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self, app: ASGIApp) -> None:
        """Let the app answer the request. Answer 500, or break off, if it raises or returns too early."""
        try:
            await app(self.scope, self.receive, self.send)  # type: ignore[arg-type]
            if not self.complete and not self.disconnected:
                log.error("ASGI callable returned without completing its response.")
                await self._break_off()
        except BaseException:
            log.exception("Exception in ASGI application")
            await self._break_off()
        finally:
            if self.held:
                self.let_go()

    async def _break_off(self) -> None:
        if self.started:
            self._queue.transport.close()
        else:
            await self._fail()

    def hold(self, size: int) -> bool:
        """Count bytes of this request's body until `let_go`. Return False if the worker holds too many."""
        if not self._queue.pool.hold(size):
            return False
        self.held += size
        return True

    def let_go(self) -> None:
        """Drop the body."""
        self._body = b""
        if self.held:
            self._queue.pool.release(self.held)
            self.held = 0

    def close_afterwards(self) -> None:
        """Close the connection after this response."""
        self.keep_alive = False

    async def _fail(self) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"34"), CLOSE]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": b'{"detail":"Internal Server Error"}'})

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive`: return the next part of the body; after the last, wait until the exchange ends."""
        if self.awaits_continue and self.more_body:
            self.awaits_continue = False
            self._queue.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self.disconnected or self.complete):
            if self._body or not (self.more_body or self._read):
                body, self._body = self._body, b""
                self._read = not self.more_body
                self._queue.resume_reading()
                return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI's `send`. With the extension WHOLE, `http.response.start` may have the body."""
        if self._queue.link.writing_paused:
            await self._queue.link.writable()
        if self.disconnected:
            return
        if self.complete or (message["type"] == "http.response.start") == self.started:
            raise RuntimeError(f"Unexpected ASGI message {message['type']!r}")
        if not self.started:
            self._start(message["status"], message.get("headers", ()), message.get("body"))
        else:
            self._send_body(message.get("body", b""), message.get("more_body", False))

    def _start(self, status: int, headers: Any, whole: bytes | None) -> None:
        self.started = True
        default, closes = self._queue.default_lines()
        if closes or (self.awaits_continue and self.more_body):  # the client may send the body, or not
            self.keep_alive = False
        self.awaits_continue = False
        headers = list(headers) if whole is not None else self._framed(status, headers)
        if not self.keep_alive and not closes and CLOSE not in headers:
            headers.append(CLOSE)
        head = b"".join((STATUS_LINES[status], default, lines(headers), b"\r\n"))
        if whole is None:
            self._queue.transport.write(head)
        else:
            self.complete = True
            self._queue.transport.write_answer(head + whole)
            self._finish()

    def _framed(self, status: int, headers: Any) -> Headers:
        body = self._response_body = ResponseBody(self.scope, status, headers)
        self.keep_alive = self.keep_alive and not body.closes
        return body.headers

    def _send_body(self, data: bytes, more: bool) -> None:
        if part := self._response_body.part(data, more):
            self._queue.transport.write(part)
        if not more:
            self._response_body.check_end()
            self.complete = True
            self._finish()

    def _finish(self) -> None:
        self.wake()
        self._queue.completed(self)
