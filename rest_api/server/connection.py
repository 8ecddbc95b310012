"""A connection: each request that comes over it is answered in its turn. uvicorn's `http=` protocol.

A hot request runs without a task, and if its head came before on this connection, without the parser.
"""

import asyncio
import contextvars
import logging
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from ML.config.config import settings
from rest_api.server import coroutine_runner
from rest_api.server.deadlines import Deadlines
from rest_api.server.exchange import Exchange, Headers, answer
from rest_api.server.extensions import CONNECTION, HOLD, LET_GO, SAME, WHOLE
from rest_api.server.framing import Framing, Refused
from rest_api.server.known_head import HeadMemory, KnownHead
from rest_api.server.pool import HELD_BODIES, RETRY_SECONDS, pool_of
from rest_api.server.request_parser import RequestParser
from rest_api.server.write_buffer import BufferedTransport
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.connection")

LINGER_SECONDS = 2.0
"""How long a connection that closes early reads on: closing it while bytes wait unread would reset it, and the client
might lose its answer."""

LINGER_BYTES = 32 * 1024 * 1024
"""How much it throws away meanwhile. What comes after that is left to the client."""

REFUSAL_SECONDS = 0.5
"""How long a connection stays open, unread, after the refusal of what is not HTTP: until the client has its answer."""

PARTING_SECONDS = 0.3
"""How long an idle connection stays open at the end: a request may be on its way."""


@dataclass(slots=True)
class Request:
    """A request, and what answers it."""

    exchange: Exchange
    app: ASGIApp
    hot: bool


class Connection(asyncio.Protocol):
    """What the server makes of each connection. Called by the event loop and by the parser."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.loop = _loop or asyncio.get_running_loop()
        self._app, self._find_hot = config.loaded_app, getattr(config.app, "hot", None)
        self._state, self._app_state, self._pool = server_state, app_state, pool_of(self.loop)
        self._idle_seconds = config.timeout_keep_alive
        # Each request gets a copy: what one caller's request sets, no other one sees.
        self._context = contextvars.copy_context()
        self._memory: dict[str, Any] = {}
        self._heads = HeadMemory()
        self._parser = RequestParser(self)
        self._running: Exchange | None = None
        """Whose answer is awaited."""
        self._ready: Request | None = None
        self._pipeline: deque[Request] = deque()
        self._refusal: Refused | None = None
        """For the request that comes after those that are still to be answered."""
        self._last = False
        """Whether no request may follow."""
        self._deaf = False
        """Whether nothing that comes is read any more."""
        self._linger_left = 0
        self._reading_paused = self.writing_paused = False
        self._writable = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called for each connection."""
        self.transport = BufferedTransport(transport, self._pool.buffer, self._state.tasks)
        self._peer = {
            "server": get_local_addr(transport),
            "client": get_remote_addr(transport),
            "scheme": "https" if is_ssl(transport) else "http",
        }
        seconds = settings().read_timeout, settings().write_timeout, self._idle_seconds
        self._deadlines = Deadlines(self.loop, self.transport, seconds, self._late, lambda: self.idle, self._stuck)
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._pool.silent[self] = None
        if len(self._state.connections) > settings().max_connections:
            self._pool.make_room(self, self._state.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once it is closed."""
        self._pool.silent.pop(self, None)
        self._deadlines.close()
        self._parser.close()
        self._state.connections.discard(self)
        for exchange in filter(None, (self._running, *(request.exchange for request in self._pipeline))):
            exchange.disconnect()
        for request in self._pipeline:
            request.exchange.let_go()
        self._pipeline.clear()
        del self._heads  # what is kept of a head may refer to this connection, and the collector seldom runs
        self.resume_writing()

    # What comes in.

    def data_received(self, data: bytes) -> None:
        """Called with what has come."""
        if self._deaf or (self._linger_left and self._has_lingered(len(data))):
            return
        begins = self._running is None and not self._parser.in_request
        if begins and (known := self._heads.find(data)):
            self._begin_known(known, data)
            return
        try:
            self._parser.feed(data)
        except Refused as refused:
            self._refuse(refused)
        if self._ready:
            self._begin_ready(data if begins else b"")

    def _begin_known(self, known: KnownHead, data: bytes) -> None:
        """Begin a request whose head came before."""
        exchange = self._running = Exchange(self, {**known.scope, "state": self._app_state.copy()}, keep_alive=True)
        exchange.take_whole(data[len(known.head) :])
        coroutine_runner.start(exchange.run(known.app), self._state.tasks, self._context.copy())

    def _begin_ready(self, data: bytes) -> None:
        """Begin the request that has come; keep its head if it is all of the data."""
        request, self._ready = self._ready, None
        assert request
        exchange = request.exchange
        learns = data and request.hot and self._heads.learns and exchange.keep_alive and not self._parser.in_request
        scope = {**exchange.scope} if learns and not exchange.awaits_continue else None  # the app adds to it
        length = self._parser.length
        self._begin(request)
        if scope and length is not None and scope["extensions"][SAME]:
            self._heads.learn(data, length, scope, request.app)

    def _begin(self, request: Request) -> None:
        self._running, context = request.exchange, self._context.copy()
        if request.hot:
            coroutine_runner.start(request.exchange.run(request.app), self._state.tasks, context)
        else:
            task = self.loop.create_task(request.exchange.run(request.app), context=context)
            task.add_done_callback(self._state.tasks.discard)
            self._state.tasks.add(task)

    # What the parser finds.

    def request_begins(self) -> None:
        """Called with the first byte of each request. Raises Refused after one that closes the connection."""
        if self._last:
            raise Refused(400, "This request follows one that closes the connection")
        self._pool.silent.pop(self, None)
        self._deadlines.request_begins()

    def head_complete(self, method: str, version: str, target: bytes, headers: Headers, framed: Framing) -> Exchange:
        """Called when its line and headers are whole. Raises Refused."""
        keep_alive = version == "1.1" and self._parser.keep_alive
        exchange = Exchange(self, self._scope(method, version, target, headers), keep_alive)
        self._last = not keep_alive
        exchange.awaits_continue = framed.expects_continue and framed.length != 0
        if framed.encoded:
            exchange.scope["extensions"][HOLD] = self._hold_more
        hot = self._find_hot and self._find_hot(exchange.scope)
        if hot:
            exchange.scope["extensions"] |= {WHOLE: {}, SAME: {}}
        else:
            exchange.scope["extensions"][LET_GO] = self._let_go
        request = Request(exchange, hot or self._app, bool(hot))
        if self._running is None:
            # It begins when all that has come is read: its body may be there.
            self._running, self._ready = exchange, request
        else:
            self.pause_reading()
            self._pipeline.append(request)
        return exchange

    def hold(self, exchange: Exchange, size: int) -> None:
        """Count bytes of a body. Raises Refused if the worker keeps too many."""
        if not self._pool.hold(size):
            exchange.let_go()  # at once: there is room for others who send at this moment
            said = f"The server holds as many bodies as it can: {HELD_BODIES} times MAX_BODY_MB. Retry later"
            raise Refused(503, said, "", RETRY_SECONDS)
        exchange.held += size

    def release(self, size: int) -> None:
        """Take note that they are gone."""
        self._pool.release(size)

    def _hold_more(self, size: int) -> bool:
        """Count what the body of the request that runs has become."""
        if not self._running or not self._pool.hold(size):
            return False
        self._running.held += size
        return True

    def _let_go(self) -> None:
        """Take note that nobody keeps the body of the request that runs."""
        if self._running:
            self._running.let_go()

    def _scope(self, method: str, version: str, target: bytes, headers: Headers) -> dict[str, Any]:
        path, query = _split(target)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": method,
            "path": unquote(path.decode()) if b"%" in path else path.decode(),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "state": self._app_state.copy(),
            "extensions": {CONNECTION: self._memory},
            **self._peer,
        }

    def request_complete(self, exchange: Exchange) -> None:
        """Called when its body is whole."""
        self._deadlines.request_ends()
        exchange.end()
        if exchange.complete and not exchange.keep_alive:  # it was answered before its body had come
            self._end()

    # What goes out.

    def default_lines(self) -> tuple[bytes, bool]:
        """Return the headers of all answers as they are written, and whether the connection closes with this one."""
        return self._pool.default_lines(self._state.default_headers)

    def completed(self, exchange: Exchange) -> None:
        """Called when an answer is written: the next request of a pipeline may begin."""
        self._state.total_requests += 1
        self._deadlines.answered()
        self._running = None
        if self.transport.is_closing():
            return
        if not exchange.keep_alive:
            self._part(exchange)
        elif self._pipeline:
            request = self._pipeline.popleft()
            self._running = request.exchange
            self.loop.call_soon(self._begin, request, context=self._context)
        elif self._refusal:
            self._write_refusal(self._refusal)
        else:
            self.resume_reading()

    def _part(self, exchange: Exchange) -> None:
        """Close after this answer. If its request is still on its way, read on for a while and throw it away."""
        self._last = True
        if exchange.more_body:
            self.resume_reading()
            self._linger_left = LINGER_BYTES
            self.loop.call_later(LINGER_SECONDS, self._end, context=self._context)
        else:
            self._end()

    def _end(self) -> None:
        self._deaf = True
        self.transport.close()

    def _has_lingered(self, size: int) -> bool:
        self._linger_left -= size
        if self._linger_left > 0:
            return False
        self.pause_reading()
        self._deaf = True
        return True

    async def writable(self) -> None:
        """Wait until the client has taken most of what was written."""
        while self.writing_paused:
            self._writable.clear()
            await self._writable.wait()

    def pause_writing(self) -> None:
        """Called when the client is slower than the application."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """Called when it has taken most of what was written."""
        self.writing_paused = False
        self._writable.set()

    def pause_reading(self) -> None:
        """Leave what comes to the client."""
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self._deadlines.pause()
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, unless requests wait already."""
        if self._reading_paused and not self._pipeline and not self._deaf and not self.transport.is_closing():
            self._reading_paused = False
            self._deadlines.go_on()
            self.transport.resume_reading()

    # Whom the server turns away.

    def _refuse(self, refused: Refused) -> None:
        """Answer a request that can't be read any further, once those before it are answered; then close."""
        if self._deaf:
            return
        self._deaf, exchange = True, self._parser.receiving
        if self._last and exchange is None:  # what follows a request that closes the connection is nobody's
            return
        if refused.reason:
            counts.refused(refused.reason)
        log.info("%s refused a request: %s", refused.status, refused)
        if exchange is None:
            self._answer_refusal(refused)
        elif exchange.complete or exchange.started:
            self._close_soon()
        elif exchange is self._running:
            exchange.scope["state"]["refused"] = refused.status
            exchange.disconnect()
            if self._ready:  # it never begins
                exchange.let_go()
            self._running = self._ready = None
            self._write_refusal(refused)
        else:
            self._pipeline.pop().exchange.let_go()
            self._answer_refusal(refused)

    def _answer_refusal(self, refused: Refused) -> None:
        if self._running is None:
            self._write_refusal(refused)
        else:
            self._refusal = refused

    def _write_refusal(self, refused: Refused) -> None:
        self.transport.write(answer(refused.status, refused.detail, self.default_lines()[0], refused.headers))
        self._close_soon()

    def _close_soon(self) -> None:
        self.pause_reading()
        self.loop.call_later(REFUSAL_SECONDS, self.transport.close, context=self._context)

    def _late(self) -> None:
        if self in self._pool.silent or self._last or not self._parser.in_request:
            self._end()
        else:
            seconds = settings().read_timeout
            said = f"The request took longer to arrive than the {seconds} s of READ_TIMEOUT"
            self._refuse(Refused(408, said, "read timeout"))

    def _stuck(self) -> None:
        counts.refused("write timeout")
        self._deaf = True
        self.transport.abort()

    def turn_away(self) -> None:
        """Answer that there is no room, and close."""
        self._deaf = True
        said = "Too many open connections. Retry later, or raise MAX_CONNECTIONS"
        self._write_refusal(Refused(503, said, "connections"))

    # What the server asks.

    @property
    def idle(self) -> bool:
        """Whether no answer is awaited."""
        return self._running is None

    @property
    def between_requests(self) -> bool:
        """Whether nothing is under way in either direction."""
        return self._running is None and not self._parser.in_request

    def shutdown(self) -> None:
        """Called by the server for the end: an idle client may have a request on its way."""
        if self._running is None:
            self.loop.call_later(PARTING_SECONDS, self._leave, context=self._context)
        else:
            self._running.keep_alive = False

    def _leave(self) -> None:
        if self._running is None:
            self.transport.close()


def _split(target: bytes) -> tuple[bytes, bytes]:
    """The path and the query of a request's target. Raises Refused."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise Refused(400, "The request target is not a path; send for example GET /docs HTTP/1.1") from None
    return url.path or b"/", url.query or b""
