"""Heads of hot requests: a client sends the same bytes again, and what they say need not be found out anew."""

from typing import Any, NamedTuple

END = b"\r\n\r\n"
MOST = 256
"""Heads that a worker keeps."""

MOST_BYTES = 4096
"""Of a head that is kept."""

SAME = "fast_ml.same_head"
"""The ASGI extension: a dict for what depends on the head alone, shared by all requests with that head."""


class Head(NamedTuple):
    """What the parser found in it, the bytes of body that it announces, and what answers such a request."""

    scope: dict[str, Any]
    length: int
    front: Any


class Heads:
    """Heads by their bytes: equal ones, at the beginning of a request, are parsed alike."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Head and body, where the data is one whole request and its head is known."""
        end = data.find(END) + len(END)
        head = self._known.get(data[:end])
        return (head, data[end:]) if head and len(data) - end == head.length else None

    def learn(self, data: bytes, scope: dict[str, Any], front: Any) -> None:
        """Keeps the head of a request that was parsed and let in, unless the data is not that request alone."""
        end, said = data.find(END) + len(END), dict(scope["headers"])
        length = said.get(b"content-length", b"")
        kept = end <= MOST_BYTES and length.isdigit() and scope["extensions"][SAME]
        if kept and len(data) - end == int(length) and b"transfer-encoding" not in said:
            if len(self._known) == MOST:
                self._known.clear()
            self._known[data[:end]] = Head(scope, int(length), front)
