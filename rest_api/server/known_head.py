"""The head of the last hot request on a connection: a client that repeats the same bytes skips the parser."""

from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

END = b"\r\n\r\n"
MAX_BYTES = 4096
"""Of a head that is kept."""

MAX_BODY_BYTES = 32 * 1024
"""Of such a request: the parser's time is nothing beside that of a larger one."""

MAX_MISSES = 4
"""Heads in a row that did not come again, after which no more are kept: this client puts an id into each."""


@dataclass(slots=True, eq=False)
class KnownHead:
    """A request's line and headers, byte for byte, and what the parser made of them."""

    head: bytes
    size: int
    """Bytes of such a request, its body included."""
    scope: dict[str, Any]
    app: ASGIApp
    used: bool = False


class HeadMemory:
    """The head that a connection keeps: one, for as long as the connection lives."""

    __slots__ = ("_known", "_misses")

    def __init__(self) -> None:
        self._known: KnownHead | None = None
        self._misses = 0

    def find(self, data: bytes) -> KnownHead | None:
        """Return the head of this request, if it is known."""
        known = self._known
        if known is None or len(data) != known.size or not data.startswith(known.head):
            return None
        known.used = True
        return known

    @property
    def learns(self) -> bool:
        """Whether it is worth keeping another."""
        return self._misses < MAX_MISSES

    def learn(self, data: bytes, length: int, scope: dict[str, Any], app: ASGIApp) -> None:
        """Keep the head of a request whose body has this length, unless the data is not that request alone."""
        end = data.find(END) + len(END)
        if end > MAX_BYTES or length > MAX_BODY_BYTES or len(data) - end != length:
            return
        if self._known:
            self._misses = 0 if self._known.used else self._misses + 1
        self._known = KnownHead(data[:end], len(data), scope, app)
