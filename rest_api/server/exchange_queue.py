"""The requests of one connection, in order: each begins once the one before it is answered."""

import asyncio
import logging
from collections import deque
from contextvars import Context
from dataclasses import dataclass

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from rest_api.server import coroutine_runner
from rest_api.server.deadlines import Deadlines
from rest_api.server.exchange import Exchange
from rest_api.server.extensions import HOLD, LET_GO, WHOLE
from rest_api.server.link import Link
from rest_api.server.messages import refusals
from rest_api.server.messages.framing import Framing
from rest_api.server.messages.refusals import Refused
from rest_api.server.messages.responses import Headers
from rest_api.server.messages.scopes import Scopes
from rest_api.server.pool import Pool
from rest_api.server.request_parser import RequestParser
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.connection")


@dataclass(slots=True)
class Request:
    """A request that has not begun, and the app that will answer it."""

    exchange: Exchange
    app: ASGIApp
    hot: bool


class ExchangeQueue:
    """Called by the connection with what arrives, by the parser with what it finds, by exchanges when they end."""

    def __init__(
        self, config: Config, state: ServerState, context: Context, pool: Pool,
        link: Link, deadlines: Deadlines, scopes: Scopes,
    ) -> None:  # fmt: skip
        self._app, self._find_hot = config.loaded_app, getattr(config.app, "hot", None)
        self._state, self._deadlines, self._scopes = state, deadlines, scopes
        self.pool, self.link, self.transport = pool, link, link.transport
        # Each request runs in a copy, so that no caller sees what another one sets.
        self._context = context
        self.parser = RequestParser(self)
        self.running: Exchange | None = None
        """The exchange that is being answered."""
        self.ready: Request | None = None
        """The request to begin once everything received is parsed: its body may be there."""
        self._pipeline: deque[Request] = deque()
        self._refusal: Refused | None = None
        """The refusal to send once the requests before it are answered."""
        self.last = False
        """Whether no request may follow."""

    def disconnect(self) -> None:
        """Tell the exchanges that the client is gone, and drop the bodies that no app will read."""
        self.parser.close()
        for exchange in filter(None, (self.running, *(request.exchange for request in self._pipeline))):
            exchange.disconnect()
        for request in self._pipeline:
            request.exchange.let_go()
        self._pipeline.clear()

    # Begin.

    def begin_ready(self) -> None:
        """Begin the request that is ready."""
        request, self.ready = self.ready, None
        assert request
        self._begin(request)

    def _begin(self, request: Request) -> None:
        self.running, context = request.exchange, self._context.copy()
        if request.hot:
            coroutine_runner.start(request.exchange.run(request.app), self._state.tasks, context)
        else:
            coroutine_runner.start_task(request.exchange.run(request.app), self._state.tasks, context)

    # The parser's events.

    def request_begins(self) -> None:
        """Take note of the first byte of a request. Raise Refused after one that closes the connection."""
        if self.last:
            raise Refused(400, "This request follows one that closes the connection")
        self.pool.silent.pop(self.transport, None)
        self._deadlines.request_begins()

    def head_complete(self, method: str, version: str, target: bytes, headers: Headers, framed: Framing) -> Exchange:
        """Return the exchange for a request whose head is complete. Raise Refused."""
        keep_alive = version == "1.1" and self.parser.keep_alive
        awaits_continue = framed.expects_continue and framed.length != 0
        exchange = Exchange(self, self._scopes.build(method, version, target, headers), keep_alive, awaits_continue)
        self.last = not keep_alive
        if framed.encoded:
            exchange.scope["extensions"][HOLD] = self._hold_more
        hot = self._find_hot and self._find_hot(exchange.scope)
        if hot:
            exchange.scope["extensions"][WHOLE] = {}
        else:
            exchange.scope["extensions"][LET_GO] = self._let_go
        request = Request(exchange, hot or self._app, bool(hot))
        if self.running is None:
            self.running, self.ready = exchange, request
        else:
            self.link.pause_reading()
            self._pipeline.append(request)
        return exchange

    def request_complete(self, exchange: Exchange) -> None:
        """Take note that the body of a request is complete."""
        self._deadlines.request_ends()
        exchange.end()
        if exchange.complete and not exchange.keep_alive:  # the response was sent before the body had arrived
            self.link.close()

    # The exchanges' events.

    def _hold_more(self, size: int) -> bool:
        """Extension HOLD. Not a method of the exchange: its scope would then refer to itself."""
        return self.running is not None and self.running.hold(size)

    def _let_go(self) -> None:
        """Extension LET_GO, here for the same reason."""
        if self.running:
            self.running.let_go()

    def default_lines(self) -> tuple[bytes, bool]:
        """Return the header lines of every response, and whether the connection closes after this one."""
        return self.pool.default_lines(self._state.default_headers)

    def resume_reading(self) -> None:
        """Read on, unless requests are waiting already."""
        if self.link.reading_paused and not self._pipeline:
            self.link.resume_reading()

    def completed(self, exchange: Exchange) -> None:
        """Begin the next request, as the response to this one is written."""
        self._state.total_requests += 1
        self._deadlines.answered()
        self.running = None
        if self.transport.is_closing():
            return
        if not exchange.keep_alive:
            self._close_after(exchange)
        elif self._pipeline:
            request = self._pipeline.popleft()
            self.running = request.exchange
            asyncio.get_running_loop().call_soon(self._begin, request, context=self._context)
        elif self._refusal:
            self._write_refusal(self._refusal)
        else:
            self.resume_reading()

    def _close_after(self, exchange: Exchange) -> None:
        self.last = True
        if exchange.more_body:
            self.link.linger()
        else:
            self.link.close()

    # Refusals.

    def refuse(self, refused: Refused) -> None:
        """Refuse the request that is arriving, once those before it are answered; then close."""
        if self.link.ignores_input:
            return
        self.link.ignore_input()
        exchange = self.parser.receiving
        if self.last and exchange is None:  # bytes behind a request that closes the connection are no request
            return
        if refused.reason:
            counts.refused(refused.reason)
        log.info("%s refused a request: %s", refused.status, refused)
        if exchange is None:
            self._answer_in_turn(refused)
        elif exchange.complete or exchange.started:
            self.link.close_soon()
        elif exchange is self.running:
            self._refuse_running(exchange, refused)
        else:
            self._pipeline.pop().exchange.let_go()
            self._answer_in_turn(refused)

    def _refuse_running(self, exchange: Exchange, refused: Refused) -> None:
        exchange.scope["state"]["refused"] = refused.status
        exchange.disconnect()
        if self.ready:  # it never begins
            exchange.let_go()
        self.running = self.ready = None
        self._write_refusal(refused)

    def _answer_in_turn(self, refused: Refused) -> None:
        if self.running is None:
            self._write_refusal(refused)
        else:
            self._refusal = refused

    def _write_refusal(self, refused: Refused) -> None:
        self.transport.write(refusals.response(refused, self.default_lines()[0]))
        self.link.close_soon()

    def turn_away(self) -> None:
        """Refuse a connection that has sent nothing, as there are too many."""
        self.link.ignore_input()
        self._write_refusal(refusals.too_many_connections())
