"""The body of a response that the app sends part by part, and where it ends (RFC 9112, section 6)."""

from typing import Any

from rest_api.server.messages.responses import NO_BODY, Headers


class ResponseBody:
    """What is left to send, and how the client sees the end: by the length, by a last chunk, or by the connection."""

    __slots__ = ("_chunked", "_left", "_silent", "closes", "headers")

    def __init__(self, scope: dict[str, Any], status: int, headers: Any) -> None:
        """Take the headers from the app. `headers` adds chunked encoding if the body needs it.

        `closes` says whether the connection closes after this response.
        """
        self.headers: Headers = [(name.lower(), value) for name, value in headers]
        given = dict(self.headers)
        self.closes = given.get(b"connection", b"").lower() == b"close"
        self._silent, self._chunked = scope["method"] == "HEAD", False
        self._left: int | None = None
        """Bytes still to send, by the Content-Length."""
        if status in NO_BODY or self._silent:
            self._left = 0
        elif b"content-length" in given:
            self._left = int(given[b"content-length"])
        elif scope["http_version"] == "1.1":
            self._chunked = True
            if b"transfer-encoding" not in given:
                self.headers.append((b"transfer-encoding", b"chunked"))
        else:
            self.closes = True  # the end of the connection is the end of the body

    def part(self, data: bytes, more: bool) -> bytes:
        """Return a part as it goes over the wire. Raise RuntimeError if the body is longer than its Content-Length."""
        if self._chunked:
            parts = [b"%x\r\n" % len(data), data, b"\r\n"] if data else []
            return b"".join(parts if more else [*parts, b"0\r\n\r\n"])
        if self._silent:
            return b""
        if self._left is not None:
            if len(data) > self._left:
                raise RuntimeError("Response content longer than Content-Length")
            self._left -= len(data)
        return data

    def check_end(self) -> None:
        """Raise RuntimeError if the body is shorter than its Content-Length."""
        if self._left:
            raise RuntimeError("Response content shorter than Content-Length")
