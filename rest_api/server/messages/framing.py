"""What HTTP asks of a request's line and headers beyond what the parser checks. Stricter than it: in doubt, refuse.

Where a proxy in front and this server read a request differently, one client's bytes become another's request
(request smuggling). RFC 9112 (HTTP/1.1), RFC 9110 (semantics).
"""

import re
from dataclasses import dataclass

from rest_api.server.messages.refusals import Refused
from rest_api.server.messages.responses import Headers

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers; of a chunked body's trailers and chunk extensions. The parser takes any number."""

SINGLE = frozenset({
    b"host", b"authorization", b"content-type", b"content-length", b"content-encoding", b"expect", b"origin",
    b"sec-fetch-site", b"inference-header-content-length",
})  # fmt: skip
"""Headers that may come once: of two, a proxy may go by the one and this server by the other."""

_LENGTH = re.compile(rb"0|[1-9][0-9]{0,18}")


@dataclass(slots=True)
class Framing:
    """What a request's headers say of its body: `length` is None if it is chunked."""

    length: int | None = 0
    expects_continue: bool = False
    encoded: bool = False
    """Whether it is packed, so that it becomes larger than what came."""


def check(method: str, version: str, headers: Headers) -> Framing:
    """Return how the body is framed. Raises Refused."""
    if version not in ("1.1", "1.0"):
        raise Refused(505, f"HTTP/{version} is not supported here; send HTTP/1.1")
    if method == "CONNECT":
        raise Refused(501, "CONNECT is not supported: this is no proxy")
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
            raise Refused(400, f"The header {name.decode()} came more than once; send it once")
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
    """RFC 9112, 6.1: chunked is the only transfer coding here, and never comes beside a length or in HTTP/1.0."""
    if version == "1.0":
        raise Refused(400, "Transfer-Encoding is not part of HTTP/1.0; send a Content-Length")
    if has_length:
        raise Refused(400, "Transfer-Encoding and Content-Length came together; send one of them")
    codings = [coding.strip().lower() for coding in b",".join(values).split(b",")]
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1:
        raise Refused(400, "Transfer-Encoding must end in 'chunked', and have it once (RFC 9112, 6.1)")
    if len(codings) > 1:
        raise Refused(501, "The only transfer coding supported is 'chunked'; compress with Content-Encoding: gzip")
