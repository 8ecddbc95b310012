"""Heads of hot requests that came before: a client sends the same bytes again, and what they say is known then."""

from typing import Any, NamedTuple

from starlette.types import ASGIApp, Scope

END = b"\r\n\r\n"
MOST = 256
"""Heads that are kept, in each worker."""

MOST_BYTES = 4096
"""Of a head that is kept."""


class Head(NamedTuple):
    """What the parser read from it, the bytes of the body that it announces, and what answers such a request."""

    scope: dict[str, Any]
    length: int
    front: ASGIApp


class Heads:
    """Heads by their bytes. Equal bytes at the beginning of a message are parsed alike."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head and the body, where the data is one whole request whose head is known."""
        end = data.find(END) + len(END)
        head = self._known.get(data[:end])
        return (head, data[end:]) if head and len(data) - end == head.length else None

    def learn(self, data: bytes, scope: Scope, front: ASGIApp) -> None:
        """Keeps the head of a request that was parsed, where all of the data is that request."""
        end = data.find(END) + len(END)
        length = dict(scope["headers"]).get(b"content-length", b"")
        if end > MOST_BYTES or not length.isdigit() or len(data) - end != int(length):
            return
        if len(self._known) == MOST:
            self._known.clear()
        self._known[data[:end]] = Head({**scope, "headers": tuple(scope["headers"])}, int(length), front)
