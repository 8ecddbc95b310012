"""Status line and headers of a response as bytes (RFC 9112)."""

from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]

CLOSE = (b"connection", b"close")

_CONTROL = bytes({*range(32), 127} - {9})
_REASONS = {status.value: status.phrase for status in HTTPStatus}

STATUS_LINES = {code: f"HTTP/1.1 {code} {_REASONS.get(code, '')}\r\n".encode() for code in range(100, 600)}
NO_BODY = frozenset({204, 304})
"""Statuses of responses without a body."""


def lines(headers: Headers) -> bytes:
    """Return the header lines. Raise ValueError for a control character, which could turn one header into two."""
    found = b"".join([b"%b: %b\r\n" % header for header in headers])
    if len(found) - len(found.translate(None, _CONTROL)) != 2 * len(headers):
        raise ValueError("a control character in a header")
    return found
