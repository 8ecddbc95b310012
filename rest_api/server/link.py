"""The link to a client: when the server reads from it, when it may write, and how the connection closes."""

import asyncio
from contextvars import Context

from rest_api.server.deadlines import Deadlines
from rest_api.server.write_buffer import BufferedTransport

LINGER_SECONDS = 2.0
"""How long to keep reading after a response to a request that is still arriving. If the server closed the socket with
bytes unread, TCP would reset it, and the client might lose the response."""

LINGER_BYTES = 32 * 1024 * 1024
"""How many bytes to read and discard meanwhile. After that, the client has to wait."""

REFUSAL_SECONDS = 0.5
"""How long to keep the connection open, without reading, after a refusal: until the client has the response."""


class Link:
    """The state of one connection's link. All its methods are for the event loop's thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: BufferedTransport, deadlines: Deadlines, context: Context
    ) -> None:
        self._loop, self.transport, self._deadlines, self._context = loop, transport, deadlines, context
        self.ignores_input = False
        """Whether everything that arrives is discarded."""
        self.linger_left = 0
        """Bytes still to be read and discarded; 0 unless the connection lingers."""
        self.reading_paused = self.writing_paused = False
        self._writable = asyncio.Event()

    # Flow control.

    async def writable(self) -> None:
        """Wait until the client has taken most of what was written."""
        while self.writing_paused:
            self._writable.clear()
            await self._writable.wait()

    def pause_writing(self) -> None:
        """Make `writable` wait: the client reads more slowly than the app writes."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """Let `writable` return."""
        self.writing_paused = False
        self._writable.set()

    def pause_reading(self) -> None:
        """Stop reading. The time for a request to arrive stops too."""
        if not self.reading_paused and not self.transport.is_closing():
            self.reading_paused = True
            self._deadlines.pause()
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again, unless the connection is about to close."""
        if self.reading_paused and not self.ignores_input and not self.transport.is_closing():
            self.reading_paused = False
            self._deadlines.go_on()
            self.transport.resume_reading()

    # Closing.

    def ignore_input(self) -> None:
        """Discard everything that arrives from now on."""
        self.ignores_input = True

    def close(self) -> None:
        """Close once everything is written."""
        self.ignores_input = True
        self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.ignores_input = True
        self.transport.abort()

    def close_soon(self) -> None:
        """Stop reading, and close after REFUSAL_SECONDS."""
        self.pause_reading()
        self._loop.call_later(REFUSAL_SECONDS, self.transport.close, context=self._context)

    def linger(self) -> None:
        """Read and discard what still arrives, then close."""
        self.resume_reading()
        self.linger_left = LINGER_BYTES
        self._loop.call_later(LINGER_SECONDS, self.close, context=self._context)

    def discard(self, size: int) -> None:
        """Count bytes that arrived while the connection lingers. Stop reading after LINGER_BYTES."""
        self.linger_left -= size
        if self.linger_left <= 0:
            self.pause_reading()
            self.ignores_input = True
