"""A request and its answer on a connection: what the application gets as `scope`, `receive` and `send` (ASGI 3)."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Protocol

from pydantic_core import to_json
from starlette.types import ASGIApp

from rest_api.server.write_buffer import BufferedTransport

log = logging.getLogger("uvicorn.error")

Headers = list[tuple[bytes, bytes]]

CLOSE = (b"connection", b"close")
HIGH_WATER_BYTES = 64 * 1024
"""Of a body that waits for the application: more is left to the client until that is read."""

_CONTROL = bytes({*range(32), 127} - {9})
_NO_BODY = frozenset({204, 304})
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {code: f"HTTP/1.1 {code} {_REASONS.get(code, '')}\r\n".encode() for code in range(100, 600)}


class Connection(Protocol):
    """What an exchange needs of its connection."""

    transport: BufferedTransport
    writing_paused: bool
    """Whether the client has yet to take most of what was written."""

    def default_lines(self) -> tuple[bytes, bool]:
        """Return the headers of all answers as they are written, and whether the connection closes with this one."""

    async def writable(self) -> None:
        """Wait until it is not."""

    def resume_reading(self) -> None:
        """Read on from the client."""

    def pause_reading(self) -> None:
        """Leave what comes to the client."""

    def hold(self, exchange: "Exchange", size: int) -> None:
        """Count bytes of a body that is kept. Raises Refused if the worker keeps too many."""

    def release(self, size: int) -> None:
        """Take note that they are gone."""

    def completed(self, exchange: "Exchange") -> None:
        """Called when the answer is written."""


class Exchange:
    """One request and its answer. The connection adds to the body as it arrives."""

    __slots__ = (
        "_body", "_chunked", "_connection", "_left", "_read", "_waiter",
        "awaits_continue", "complete", "disconnected", "held", "keep_alive", "more_body", "scope", "size", "started",
    )  # fmt: skip

    def __init__(self, connection: Connection, scope: dict[str, Any], keep_alive: bool) -> None:
        self._connection, self.scope, self.keep_alive = connection, scope, keep_alive
        self.awaits_continue = self.started = self.complete = self.disconnected = self._read = False
        self.more_body = True
        self.size = self.held = 0
        """Bytes of the body that came, and those of them that the worker's bound counts."""
        self._body: bytes | bytearray = b""
        self._waiter: asyncio.Future[None] | None = None
        self._chunked = False
        self._left: int | None = None
        """Bytes of the answer that its Content-Length promises yet."""

    def add(self, data: bytes) -> None:
        """Take a part of the body."""
        if self.complete:  # answered before it was read
            return
        self.size += len(data)
        if self.size > HIGH_WATER_BYTES:
            self._connection.hold(self, self.size - self.held)
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytes):
            self._body = bytearray(self._body) + data
        else:
            self._body += data
        if len(self._body) > HIGH_WATER_BYTES:
            self._connection.pause_reading()
        self.wake()

    def take_whole(self, data: bytes) -> None:
        """Take a body that came in one small piece with its head."""
        self._body, self.size, self.more_body = data, len(data), False

    def end(self) -> None:
        """Take note that the body is whole."""
        self.more_body = False
        self.wake()

    def disconnect(self) -> None:
        """Take note that the client is gone."""
        self.disconnected = not self.complete
        self.wake()

    def wake(self) -> None:
        """Let `receive` look again."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self, app: ASGIApp) -> None:
        """Have the request answered. Whatever the application raises ends here."""
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
            self._connection.transport.close()
        else:
            await self._fail()

    def let_go(self) -> None:
        """Take note that nobody keeps the body any more."""
        self._body = b""
        if self.held:
            self._connection.release(self.held)
            self.held = 0

    async def _fail(self) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"34"), CLOSE]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": b'{"detail":"Internal Server Error"}'})

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive`: the body as it comes; when it is whole, nothing until the end."""
        if self.awaits_continue and self.more_body:
            self.awaits_continue = False
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self.disconnected or self.complete):
            if self._body or not (self.more_body or self._read):
                body, self._body = self._body, b""
                self._read = not self.more_body
                self._connection.resume_reading()
                return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI's `send`; with the extension WHOLE a start that has the body."""
        if self._connection.writing_paused:
            await self._connection.writable()
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
        default, closes = self._connection.default_lines()
        if closes or (self.awaits_continue and self.more_body):  # its client may send the body, or never
            self.keep_alive = False
        self.awaits_continue = False
        headers = list(headers) if whole is not None else self._framed(status, headers)
        if not self.keep_alive and not closes and CLOSE not in headers:
            headers.append(CLOSE)
        head = b"".join((_STATUS_LINES[status], default, lines(headers), b"\r\n"))
        if whole is None:
            self._connection.transport.write(head)
        else:
            self.complete = True
            self._connection.transport.write_answer(head + whole)
            self._finish()

    def _framed(self, status: int, headers: Any) -> Headers:
        """The headers, with how the body is framed among them."""
        found = [(name.lower(), value) for name, value in headers]
        given = dict(found)
        if given.get(b"connection", b"").lower() == b"close":
            self.keep_alive = False
        if status in _NO_BODY or self.scope["method"] == "HEAD":
            self._left = 0
        elif b"content-length" in given:
            self._left = int(given[b"content-length"])
        elif self.scope["http_version"] == "1.1":
            self._chunked = True
            if b"transfer-encoding" not in given:
                found.append((b"transfer-encoding", b"chunked"))
        else:
            self.keep_alive = False  # the end of the connection is the end of the body
        return found

    def _send_body(self, body: bytes, more: bool) -> None:
        transport = self._connection.transport
        if self._chunked:
            parts = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            transport.write(b"".join(parts if more else [*parts, b"0\r\n\r\n"]))
        elif body and self.scope["method"] != "HEAD":
            self._count(len(body))
            transport.write(body)
        if not more:
            if self._left:
                raise RuntimeError("Response content shorter than Content-Length")
            self.complete = True
            self._finish()

    def _count(self, sent: int) -> None:
        if self._left is not None:
            if sent > self._left:
                raise RuntimeError("Response content longer than Content-Length")
            self._left -= sent

    def _finish(self) -> None:
        self.wake()
        self._connection.completed(self)


def lines(headers: Headers) -> bytes:
    """Return headers as HTTP/1.1 has them. Raises ValueError for a control character: one header would become two."""
    found = b"".join([b"%b: %b\r\n" % header for header in headers])
    if len(found) - len(found.translate(None, _CONTROL)) != 2 * len(headers):
        raise ValueError("a control character in a header")
    return found


def answer(status: int, detail: str, default: bytes, more: Headers) -> bytes:
    """Return a whole answer that the application has no part in, and after which the connection closes."""
    body = to_json({"detail": detail})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), CLOSE, *more]
    return b"".join((_STATUS_LINES[status], default, lines(headers), b"\r\n", body))
