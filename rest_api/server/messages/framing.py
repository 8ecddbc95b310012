"""Checks of a request's headers that the parser leaves out: RFC 9112 (HTTP/1.1) and RFC 9110 (semantics).

They are stricter than the RFCs. If a proxy and this server disagree about where a request ends, one client's bytes
become part of another client's request (request smuggling).
"""

import re
from dataclasses import dataclass

from rest_api.server.messages.refusals import Refused
from rest_api.server.messages.responses import Headers

MAX_HEAD_BYTES = 64 * 1024
"""Limit for a request line and its headers, and for the trailers and chunk extensions of a chunked body."""

SINGLE = frozenset({
    b"host", b"authorization", b"content-type", b"content-length", b"content-encoding", b"expect", b"origin",
    b"sec-fetch-site", b"inference-header-content-length",
})  # fmt: skip
"""Headers that a request may have only once: a proxy might use one of two, and this server the other."""

_LENGTH = re.compile(rb"0|[1-9][0-9]{0,18}")


@dataclass(slots=True)
class Framing:
    """What a request's headers say about its body. `length` is in bytes, None if the body is chunked."""

    length: int | None = 0
    expects_continue: bool = False
    encoded: bool = False
    """Whether the body is compressed, so that it takes more memory than what arrived."""


def check(method: str, version: str, headers: Headers) -> Framing:
    """Return how the body is framed. Raise Refused if the headers break a rule."""
    if version not in ("1.1", "1.0"):
        raise Refused(505, f"HTTP/{version} is not supported here; send HTTP/1.1")
    if method == "CONNECT":
        raise Refused(501, "CONNECT is not supported: this server is not a proxy")
    names = dict(headers)
    if len(names) < len(headers):
        _check_single(headers)
    if b"host" not in names and version == "1.1":
        raise Refused(400, "The header Host is missing; HTTP/1.1 requires it (RFC 9112, 3.2)")
    found = Framing(_length(names.get(b"content-length", b"0")), encoded=b"content-encoding" in names)
    if b"expect" in names:
        found.expects_continue = _expects_continue(names[b"expect"], version)
    if b"transfer-encoding" in names:
        codings = [value for name, value in headers if name == b"transfer-encoding"]
        _check_codings(codings, version, b"content-length" in names)
        found.length = None
    return found


def _check_single(headers: Headers) -> None:
    seen = set()
    for name, _ in headers:
        if name in seen and name in SINGLE:
            raise Refused(400, f"The header {name.decode()} was sent more than once; send it once")
        seen.add(name)


def _length(value: bytes) -> int:
    if not _LENGTH.fullmatch(value):
        raise Refused(400, "Content-Length must be a plain decimal number without leading zeros")
    return int(value)


def _expects_continue(value: bytes, version: str) -> bool:
    if value.strip().lower() != b"100-continue":
        raise Refused(417, "Only 'Expect: 100-continue' is supported (RFC 9110, 10.1.1)")
    return version != "1.0"


def _check_codings(values: list[bytes], version: str, has_length: bool) -> None:
    """Raise Refused unless the only coding is chunked, without a length, in HTTP/1.1 (RFC 9112, 6.1)."""
    if version == "1.0":
        raise Refused(400, "Transfer-Encoding is not part of HTTP/1.0; send a Content-Length")
    if has_length:
        raise Refused(400, "The request has both Transfer-Encoding and Content-Length; send only one of them")
    codings = [coding.strip().lower() for coding in b",".join(values).split(b",")]
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1:
        raise Refused(400, "Transfer-Encoding must end in 'chunked', and contain it only once (RFC 9112, 6.1)")
    if len(codings) > 1:
        raise Refused(501, "The only transfer coding supported is 'chunked'; compress with Content-Encoding: gzip")
