"""From bytes to requests (RFC 9112): httptools finds their parts, and what it is lax about is refused here."""

from typing import Protocol

import httptools

from rest_api.server import framing
from rest_api.server.exchange import Exchange, Headers
from rest_api.server.framing import MAX_HEAD_BYTES, Framing, Refused

CHUNK_FRAME_BYTES = 32
"""What a chunk of a body may take besides its bytes. Chunk extensions past that count like a request's head."""


class Events(Protocol):
    """What the connection does as a request arrives."""

    def request_begins(self) -> None:
        """Called with its first byte. Raises Refused if no request may come any more."""

    def head_complete(self, method: str, version: str, target: bytes, headers: Headers, framed: Framing) -> Exchange:
        """Called when its line and headers are whole. Returns what takes the body. Raises Refused."""

    def request_complete(self, exchange: Exchange) -> None:
        """Called when its body is whole."""


class RequestParser:
    """Of one connection."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._parser = httptools.HttpRequestParser(self)
        self.in_request = False
        """Whether a request has begun and is not whole."""
        self.receiving: Exchange | None = None
        """The request whose head is whole and whose body is not."""
        self.length: int | None = 0
        """Bytes of the body that the last head announced; None if it is chunked."""
        self._replays = False
        self._count = self._chunks = self._overhead = self._head_size = 0
        self._url = b""
        self._headers: Headers = []

    def feed(self, data: bytes) -> None:
        """Take what has come. Raises Refused where no more can be read of this connection."""
        request = self._count
        self._parse(data)
        if self.in_request and self._count == request:
            self._bound(len(data))

    def close(self) -> None:
        """Let go of httptools' parser, which refers back to this one: the collector seldom runs."""
        del self._parser

    @property
    def keep_alive(self) -> bool:
        """Whether the client of the request whose head is whole lets the connection stay open."""
        return bool(self._parser.should_keep_alive()) and not self._parser.should_upgrade()

    def _parse(self, data: bytes) -> None:
        rest = b""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            self._ignore_upgrade()
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            status = 505 if "version" in str(error).lower() else 400
            raise Refused(status, f"This is not an HTTP/1.1 request: {error}") from None
        if rest:
            self._parse(rest)

    def _ignore_upgrade(self) -> None:
        """Read the body of a request that asks for another protocol. RFC 9110, 7.8: a server may ignore that.

        httptools has ended with the head. Another parser goes on from there, after a head that frames the same body.
        """
        self._parser, self._replays = httptools.HttpRequestParser(self), True
        framed = b"transfer-encoding: chunked" if self.length is None else b"content-length: %d" % self.length
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framed)
        self._replays = False

    def _bound(self, size: int) -> None:
        """Refuse a head or trailers that never end, and chunk extensions past all measure."""
        self._overhead += size
        if self._overhead > MAX_HEAD_BYTES + CHUNK_FRAME_BYTES * self._chunks:
            raise self._too_large()

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD_BYTES:
            raise self._too_large()

    def _too_large(self) -> Refused:
        what = "trailers and chunk extensions are" if self.receiving else "head is"
        said = f"The request's {what} larger than {MAX_HEAD_BYTES} bytes; send fewer or shorter ones"
        return Refused(431, said, "headers")

    # Called by httptools.

    def on_message_begin(self) -> None:
        """Called for each request."""
        if self._replays:
            return
        self._events.request_begins()
        self.in_request, self._count = True, self._count + 1
        self._chunks = self._overhead = self._head_size = 0
        self._url, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        """Called with a part of the request's target."""
        if not self._replays:
            self._count_head(len(url))
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called for each header, and for each trailer: those are counted and ignored (RFC 9110, 6.5.1)."""
        if not self._replays:
            self._count_head(len(name) + len(value) + 4)
            if self.receiving is None:
                self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Called when a request's head is whole."""
        if self._replays:
            return
        method, version = self._parser.get_method().decode(), self._parser.get_http_version()
        framed = framing.check(method, version, self._headers)
        self.length = framed.length
        self.receiving = self._events.head_complete(method, version, self._url, self._headers, framed)

    def on_chunk_header(self) -> None:
        """Called for each chunk of a body."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """Called with a part of a body."""
        self._overhead -= len(body)
        if self.receiving:
            self.receiving.add(body)

    def on_message_complete(self) -> None:
        """Called when a request is whole; for one with an upgrade first when its head is."""
        exchange = self.receiving
        if exchange and not self._parser.should_upgrade():
            self.receiving, self.in_request = None, False
            self._events.request_complete(exchange)
