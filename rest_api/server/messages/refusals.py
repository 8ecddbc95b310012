"""The responses that the protocol itself gives, before or instead of the app. The connection closes after each."""

from pydantic_core import to_json

from rest_api.server.messages.responses import CLOSE, STATUS_LINES, Headers, lines

HELD_BODIES = 4
"""How many bodies of MAX_BODY_MB a worker keeps at once: those still arriving, and those not answered yet."""

RETRY_SECONDS = 5


class Refused(Exception):
    """A request that is refused: status and message of the response, after which the connection closes."""

    def __init__(self, status: int, detail: str, reason: str = "protocol", retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status, self.detail, self.reason = status, detail, reason
        self.headers: Headers = [(b"retry-after", b"%d" % retry_after)] if retry_after else []


def late(seconds: float) -> Refused:
    """Return the refusal of a request that did not arrive within READ_TIMEOUT."""
    return Refused(408, f"The request took longer to arrive than the {seconds} s of READ_TIMEOUT", "read timeout")


def too_many_connections() -> Refused:
    """Return the refusal of a connection above MAX_CONNECTIONS."""
    return Refused(503, "Too many open connections. Retry later, or raise MAX_CONNECTIONS", "connections")


def too_many_bodies() -> Refused:
    """Return the refusal of a body for which the worker has no room. The pool has counted it already."""
    detail = f"The server holds as many bodies as it can: {HELD_BODIES} times MAX_BODY_MB. Retry later"
    return Refused(503, detail, "", RETRY_SECONDS)


def response(refused: Refused, default: bytes) -> bytes:
    """Return the whole response to a refused request; `default` holds the headers of every response."""
    body = to_json({"detail": refused.detail})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), CLOSE, *refused.headers]
    return b"".join((STATUS_LINES[refused.status], default, lines(headers), b"\r\n", body))
