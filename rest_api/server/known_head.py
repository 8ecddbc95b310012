"""Request line and headers of a connection's last hot request. A client that repeats them skips the parser."""

from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

END = b"\r\n\r\n"
MAX_BYTES = 4096
"""Length of the longest head to keep."""

MAX_BODY_BYTES = 32 * 1024
"""Length of the longest body whose head to keep. With a longer one, parsing the head takes no noticeable time."""

MAX_MISSES = 4
"""After so many heads in a row that did not repeat, keep no more: this client sends an id in each request."""


@dataclass(slots=True, eq=False)
class KnownHead:
    """A request line and headers, byte for byte, and the scope made from them."""

    head: bytes
    size: int
    """Length of the whole request, body included, in bytes."""
    scope: dict[str, Any]
    app: ASGIApp
    used: bool = False


class HeadMemory:
    """The head that a connection keeps: at most one, until the connection closes."""

    __slots__ = ("_known", "_misses")

    def __init__(self) -> None:
        self._known: KnownHead | None = None
        self._misses = 0

    def find(self, data: bytes) -> KnownHead | None:
        """Return the known head that this request begins with, if its length is the same too."""
        known = self._known
        if known is None or len(data) != known.size or not data.startswith(known.head):
            return None
        known.used = True
        return known

    @property
    def learns(self) -> bool:
        """Whether to keep another head."""
        return self._misses < MAX_MISSES

    def learn(self, data: bytes, length: int, scope: dict[str, Any], app: ASGIApp) -> None:
        """Keep the head of a request with a body of `length` bytes, if `data` is that one whole request."""
        end = data.find(END) + len(END)
        if end > MAX_BYTES or length > MAX_BODY_BYTES or len(data) - end != length:
            return
        if self._known:
            self._misses = 0 if self._known.used else self._misses + 1
        self._known = KnownHead(data[:end], len(data), scope, app)
