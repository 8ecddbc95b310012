"""Log lines: one for each request, to stdout and, if set, to a file that logrotate may move."""

import logging
import re
import secrets
import sys
import time
from logging.handlers import WatchedFileHandler

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ML.config.config import Settings
from rest_api import errors

log = logging.getLogger("fast_ml")

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
        handler.setFormatter(logging.Formatter(FORMAT))
    if problem:
        log.warning("the log goes to stdout only: %s", problem)


class RequestLog:
    """ASGI middleware: gives each request an id, and each answer a log line and the id. No body, no credential."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and logs what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        seen = scope["log"] = {"user": "-", "version": "-", "status": None, "id": request_id}
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            seen["status"] = 499
        except Exception:  # the last boundary: one traceback in the log, and an answer if none was begun
            log.exception("%s failed", request_id)
            if seen["status"] is None:
                await errors.bug(request_id)(scope, receive, send_with_id)
        finally:
            # The raw path is still percent-encoded, so no line break of a caller's gets into the log.
            log.info(
                "%s %s %s %s %.1fms %s %s",
                request_id,
                scope["method"],
                scope["raw_path"].decode("ascii", "replace"),
                seen["status"],
                1000 * (time.perf_counter() - started),
                seen["user"],
                seen["version"],
            )


def _request_id(scope: Scope) -> str:
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return sent.decode() if _ID.fullmatch(sent) else secrets.token_hex(8)
