"""A request and its answer. On the hot routes it is run without a task, and the answer is written in one piece."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from rest_api.outbox import OneWrite

Headers = list[tuple[bytes, bytes]]

CLOSE = (b"connection", b"close")
WHOLE = "fast_ml.whole"
"""The ASGI extension: `http.response.start` may have a `body`, and is then the whole answer, of a known length."""

_CONTROL = bytes({*range(32), 127} - {9})


class Cycle(RequestResponseCycle):
    """uvicorn's, with that extension: its own two messages take as long as a quick prediction."""

    transport: OneWrite  # type: ignore[assignment]
    default: ClassVar[tuple[Headers, bytes]] = [], b""
    """The headers of all answers, and as they are written: new ones every second."""

    async def send(self, message: Any) -> None:
        """ASGI's `send`."""
        body = message.pop("body", None) if message["type"] == "http.response.start" else None
        if body is None:
            await super().send(message)
        elif self.access_log or self.flow.write_paused or self.response_started:
            await super().send(message)
            await super().send({"type": "http.response.body", "body": body, "more_body": False})
        elif not self.disconnected:
            self._answer(message["status"], message["headers"], body)

    def _answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.response_started = self.response_complete = True
        if CLOSE in self.default_headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers = [*headers, CLOSE]
        self.transport.answer(b"".join((STATUS_LINE[status], self._default(), _lines(headers), b"\r\n", body)))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _default(self) -> bytes:
        given, lines = self.default
        if given is not self.default_headers:
            lines = _lines(self.default_headers)
            Cycle.default = self.default_headers, lines
        return lines


class Whole(Cycle):
    """One whose request came in one piece, and whose connection stays open."""

    def __init__(self, protocol: HttpToolsProtocol, body: bytes) -> None:
        super().__init__(
            protocol.scope,
            protocol.transport,
            protocol.flow,
            protocol.logger,
            protocol.access_logger,
            protocol.access_log,
            protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=protocol.on_response_complete,
        )
        self.more_body = False
        self._unread: bytes | None = body

    async def receive(self) -> Any:
        """ASGI's `receive`: the body, and then nothing until the end."""
        body, self._unread = self._unread, None
        if body is None or self.disconnected or self.response_complete:
            return await super().receive()
        return {"type": "http.request", "body": body, "more_body": False}


class Run:
    """Runs a coroutine as a task would, but begins at once, and costs less.

    Nothing in it may ask for the current task, as asyncio.timeout and anyio do.
    """

    __slots__ = ("_awaited", "_coroutine", "_running")

    def __init__(self, coroutine: Coroutine[Any, Any, None], running: set[Any]) -> None:
        self._coroutine, self._running = coroutine, running
        self._awaited: asyncio.Future[Any] | None = None
        running.add(self)
        self.step()

    def step(self, _: Any = None) -> None:
        """Goes on until the next future. https://docs.python.org/3/reference/datamodel.html#coroutine-objects"""
        try:
            self._awaited = awaited = self._coroutine.send(None)
        except StopIteration:
            self._running.discard(self)
            return
        if awaited is None:  # asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(self.step)
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self.step)

    def cancel(self, msg: str | None = None) -> None:
        """Called by the server where its end takes too long."""
        if self._awaited:
            self._awaited.cancel(msg)


def _lines(headers: Headers) -> bytes:
    """Headers as HTTP/1.1 has them. Raises ValueError where one would be two."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if len(lines) - len(lines.translate(None, _CONTROL)) != 2 * len(headers):
        raise ValueError("a control character in a header")
    return lines
