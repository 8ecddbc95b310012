"""Log lines: one for each request, to stdout and, if set, to a file that logrotate may move."""

import asyncio
import logging
import random
import re
import sys
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from functools import lru_cache
from logging.handlers import WatchedFileHandler

from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ML.config.config import Settings
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml")
requests = logging.getLogger("fast_ml.requests")

FORMAT = "%(asctime)s %(levelname)s %(message)s"
_ID = re.compile(rb"[\w.:/+=@-]{1,128}", re.ASCII)


def set_up(settings: Settings) -> None:
    """Sends the log to stdout and to the file; where the file can't be written, one warning says so."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    try:
        # It opens the file anew when logrotate has moved it, and appends, so that workers don't overwrite each other.
        handlers += [WatchedFileHandler(settings.log_file)] if settings.log_file else []
        problem = None
    except OSError as error:
        problem = error
    log.handlers, log.propagate = handlers, False
    log.setLevel(settings.log_level.upper())
    for handler in handlers:
        handler.setFormatter(_JsonFormatter() if settings.log_format == "json" else _Formatter(FORMAT))
    if problem:
        log.warning("the log goes to stdout only: %s", problem)


@dataclass(slots=True)
class LogEntry:
    """What the log line of a request says; whoever learns it puts it here, in `scope["log"]`."""

    id: str
    user: str = "-"
    version: str = "-"
    status: int | None = None


class RequestLog:
    """ASGI middleware: gives each request an id, and each answer a log line and the id. No body, no credential.

    The lines of one turn of the event loop are written together: a write for each would cost more than the prediction.
    """

    def __init__(self, app: ASGIApp, format: str, crash: Callable[[Scope], ASGIApp]) -> None:
        """`crash` makes the answer to a request that nothing else answered."""
        self._crash = crash
        self.app, self._text = app, _json if format == "json" else _plain
        self._lines: list[str] = []
        self._time = ""
        # One for all lines: to make a record takes longer than to write the line.
        self._record = logging.LogRecord(requests.name, logging.INFO, __file__, 0, "", None, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and logs what became of it."""
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
        except Exception:  # the last boundary: one traceback in the log, and an answer if none was begun
            log.exception("%s failed", line.id)
            if line.status is None:
                await self._crash(scope)(scope, receive, send_with_id)
        finally:
            if line.status in (400, 499):  # a broken body, unless the connection has answered 408 already
                line.status = scope.get("state", {}).get("refused", line.status)
            seconds = time.perf_counter() - started
            route = scope.get("route")
            counts.answered(scope["method"], route.path if route else "none", line.status or 499, seconds)
            if requests.isEnabledFor(logging.INFO):
                self._add(scope, line, seconds)

    def _add(self, scope: Scope, line: LogEntry, seconds: float) -> None:
        # The raw path is still percent-encoded, so no line break of a caller's gets into the log.
        path = scope["raw_path"].decode("ascii", "replace")
        if not self._lines:
            self._time = _now()
            asyncio.get_running_loop().call_soon(self._write, context=Context())
        self._lines.append(self._text(self._time, line, scope["method"], path, 1000 * seconds))

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        # A pipe takes 4096 bytes at once (PIPE_BUF); of more, another worker's lines might come between.
        for first in range(0, len(lines), 16):
            self._record.msg = "\n".join(lines[first : first + 16])
            requests.handle(self._record)


def _plain(now: str, line: LogEntry, method: str, path: str, ms: float) -> str:
    return f"{now} INFO {line.id} {method} {path} {line.status} {ms:.1f}ms {line.user} {line.version}"


def _json(now: str, line: LogEntry, method: str, path: str, ms: float) -> str:
    says = {"time": now, "level": "INFO", "id": line.id, "method": method, "path": path, "status": line.status}
    return to_json(says | {"ms": round(ms, 1), "user": line.user, "version": line.version}).decode()


class _JsonFormatter(logging.Formatter):
    """Other lines as objects too, a traceback inside."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == requests.name:
            return str(record.msg)
        says = {"time": _now(), "level": record.levelname, "message": record.getMessage()}
        if record.exc_info:
            says["traceback"] = self.formatException(record.exc_info)
        return to_json(says).decode()


class _Formatter(logging.Formatter):
    """Request lines come with their own time."""

    def format(self, record: logging.LogRecord) -> str:
        return str(record.msg) if record.name == requests.name else super().format(record)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return str(value.decode())
    # An id is told apart from others, not kept secret; the system's randomness would be a call to the kernel.
    return f"{random.getrandbits(64):016x}"


def _now() -> str:
    """The time as logging writes it; the text of a second is made once."""
    now = time.time()
    return f"{_second(int(now))},{int(now * 1000) % 1000:03d}"


@lru_cache(1)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
