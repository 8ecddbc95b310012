"""Writes a log line for each request (log_setup.py says where to)."""

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from functools import lru_cache

from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rest_api.telemetry import counts

log = logging.getLogger("fast_ml")
requests = logging.getLogger("fast_ml.requests")

_ID = re.compile(rb"[\w.:/+=@-]{1,128}", re.ASCII)


@dataclass(slots=True)
class LogEntry:
    """What the log line of a request says. It is in `scope["log"]`: the code that knows a value sets it there."""

    id: str
    user: str = "-"
    version: str = "-"
    status: int | None = None


class RequestLog:
    """ASGI middleware: gives each request an id, sends it with the answer, and logs a line without body or credentials.

    The lines of one event loop iteration are written together: a write for each would cost more than the prediction.
    """

    def __init__(self, app: ASGIApp, format: str, crash: Callable[[Scope], ASGIApp]) -> None:
        """`format` is that of the log, "text" or "json". `crash` returns the answer to a request that raised."""
        self._crash = crash
        self.app, self._text = app, _json if format == "json" else _plain
        self._lines: list[str] = []
        self._time = ""
        # One record for all lines: making a record takes longer than writing the line.
        self._record = logging.LogRecord(requests.name, logging.INFO, __file__, 0, "", None, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log its outcome."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        line = scope["log"] = LogEntry(_request_id(scope))
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                line.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", line.id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            line.status = 499
        except Exception:  # the last boundary: log one traceback, and answer unless an answer has begun
            log.exception("%s failed", line.id)
            if line.status is None:
                await self._crash(scope)(scope, receive, send_with_id)
        finally:
            if line.status in (400, 499):  # a broken body, unless the connection has already answered, with 408 say
                line.status = scope.get("state", {}).get("refused", line.status)
            seconds = time.perf_counter() - started
            route = scope.get("route")
            counts.answered(scope["method"], route.path if route else "none", line.status or 499, seconds)
            if requests.isEnabledFor(logging.INFO):
                self._add(scope, line, seconds)

    def _add(self, scope: Scope, line: LogEntry, seconds: float) -> None:
        # The raw path is still percent-encoded, so a caller can't put a line break into the log.
        path = scope["raw_path"].decode("ascii", "replace")
        if not self._lines:
            self._time = now()
            asyncio.get_running_loop().call_soon(self._write, context=Context())
        self._lines.append(self._text(self._time, line, scope["method"], path, 1000 * seconds))

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        # A pipe takes 4096 bytes at once (PIPE_BUF). Another worker's lines could split a longer write.
        for first in range(0, len(lines), 16):
            self._record.msg = "\n".join(lines[first : first + 16])
            requests.handle(self._record)


def _plain(when: str, line: LogEntry, method: str, path: str, ms: float) -> str:
    return f"{when} INFO {line.id} {method} {path} {line.status} {ms:.1f}ms {line.user} {line.version}"


def _json(when: str, line: LogEntry, method: str, path: str, ms: float) -> str:
    fields = {"time": when, "level": "INFO", "id": line.id, "method": method, "path": path, "status": line.status}
    return to_json(fields | {"ms": round(ms, 1), "user": line.user, "version": line.version}).decode()


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return str(value.decode())
    # An id need not be secret, and the system's randomness would cost a system call.
    return f"{random.getrandbits(64):016x}"


def now() -> str:
    """Return the local time as logging writes it. The text of each second is formatted once."""
    seconds = time.time()
    return f"{_second(int(seconds))},{int(seconds * 1000) % 1000:03d}"


@lru_cache(1)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
