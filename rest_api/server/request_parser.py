"""Parses bytes as requests (RFC 9112) with httptools, and refuses what httptools accepts but the RFC forbids."""

from typing import Protocol

import httptools

from rest_api.server.exchange import Exchange
from rest_api.server.messages import framing
from rest_api.server.messages.framing import MAX_HEAD_BYTES, Framing
from rest_api.server.messages.refusals import Refused
from rest_api.server.messages.responses import Headers

CHUNK_FRAME_BYTES = 32
"""Framing bytes allowed for each chunk. Chunk extensions beyond that count towards MAX_HEAD_BYTES."""


class Events(Protocol):
    """Called as a request arrives."""

    def request_begins(self) -> None:
        """Take note of its first byte. Raise Refused if no further request is allowed."""

    def head_complete(self, method: str, version: str, target: bytes, headers: Headers, framed: Framing) -> Exchange:
        """Return the exchange that takes the body, when request line and headers are complete. Raise Refused."""

    def request_complete(self, exchange: Exchange) -> None:
        """Take note that its body is complete."""


class RequestParser:
    """The parser of one connection."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._parser = httptools.HttpRequestParser(self)
        self.in_request = False
        """Whether a request has begun and is not complete."""
        self.receiving: Exchange | None = None
        """The request whose head is complete and whose body is not."""
        self.length: int | None = 0
        """Length of the body in bytes, as the last head announced it; None if the body is chunked."""
        self._replays = False
        self._count = self._chunks = self._overhead = self._head_size = 0
        self._url = b""
        self._headers: Headers = []

    def feed(self, data: bytes) -> None:
        """Parse bytes. Raise Refused if nothing more can be read from this connection."""
        request = self._count
        self._parse(data)
        if self.in_request and self._count == request:
            self._limit_overhead(len(data))

    def close(self) -> None:
        """Break reference cycles, as the garbage collector seldom runs."""
        del self._parser, self._events

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after the request whose head is complete."""
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
        """Read on after a request that asks for another protocol, which a server may ignore (RFC 9110, 7.8).

        httptools stops after the head of such a request. A new parser gets a head with the same framing, and goes on.
        """
        self._parser, self._replays = httptools.HttpRequestParser(self), True
        framed = b"transfer-encoding: chunked" if self.length is None else b"content-length: %d" % self.length
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framed)
        self._replays = False

    def _limit_overhead(self, size: int) -> None:
        """Count bytes outside bodies. Raise Refused for a head, trailers or chunk extensions that are too long."""
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

    # Callbacks of httptools: https://github.com/MagicStack/httptools#apis

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._replays:
            return
        self._events.request_begins()
        self.in_request, self._count = True, self._count + 1
        self._chunks = self._overhead = self._head_size = 0
        self._url, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        if not self._replays:
            self._count_head(len(url))
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer; trailers are counted and ignored (RFC 9110, 6.5.1)."""
        if not self._replays:
            self._count_head(len(name) + len(value) + 4)
            if self.receiving is None:
                self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head of a request is complete."""
        if self._replays:
            return
        method, version = self._parser.get_method().decode(), self._parser.get_http_version()
        framed = framing.check(method, version, self._headers)
        self.length = framed.length
        self.receiving = self._events.head_complete(method, version, self._url, self._headers, framed)

    def on_chunk_header(self) -> None:
        """A chunk of a body begins."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._overhead -= len(body)
        if self.receiving:
            self.receiving.add(body)

    def on_message_complete(self) -> None:
        """A request is complete. For one with an upgrade, httptools calls this after the head too."""
        exchange = self.receiving
        if exchange and not self._parser.should_upgrade():
            self.receiving, self.in_request = None, False
            self._events.request_complete(exchange)
