"""Content encodings: compressed bodies, and compressed answers for clients that accept them (RFC 9110)."""

import re
import zlib
from functools import lru_cache

from starlette.types import Scope

from ML.errors import Problem
from ML.tables import compression
from rest_api.http.content_types import WrongContentType

MIN_COMPRESSED_BYTES = 1400
"""Smallest answer that is worth compressing, in bytes. Smaller ones fit into one network packet anyway."""

MAX_CACHED_BYTES = 200
"""Longest Accept-Encoding header whose result is cached, in bytes."""

_WBITS = {b"gzip": compression.GZIP, b"x-gzip": compression.GZIP, b"deflate": compression.DEFLATE}
_CODING = re.compile(rb"(gzip|deflate)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?", re.IGNORECASE)


class Broken(Problem):
    """The body can't be decompressed."""

    status = 400


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header's value, empty if it is missing."""
    for other, value in scope["headers"]:
        if other == name:
            return bytes(value)
    return b""


def decompress(body: bytes, encoding: bytes, most: int) -> bytes:
    """Return the decompressed body. Raises Broken, TooLarge beyond `most` bytes, and WrongContentType."""
    encoding = encoding.strip().lower()
    if encoding == b"identity":
        return body
    if encoding not in _WBITS:
        raise WrongContentType(
            f"The content encoding {encoding.decode('latin-1')} is not supported; use gzip or deflate"
        )
    try:
        return compression.unpack(body, most, _WBITS[encoding])
    except (zlib.error, EOFError) as error:
        reason = str(error) or "it ends too early"
        raise Broken(f"The body can't be unpacked by {encoding.decode()}: {reason}") from None


def accepted(header: bytes) -> bytes:
    """Return the first encoding in an Accept-Encoding header that the server supports; empty if there is none."""
    return _kept(header) if len(header) <= MAX_CACHED_BYTES else _accepted(header)


def _accepted(header: bytes) -> bytes:
    for part in header.split(b","):
        match = _CODING.fullmatch(part.strip())
        if match and (match[2] or b"1").strip(b"0."):
            return match[1].lower()
    return b""


_kept = lru_cache(256)(_accepted)


def compress(body: bytes, encoding: bytes) -> bytes:
    """Return the body compressed with one of these encodings, at the fastest level."""
    return zlib.compress(body, 1, _WBITS[encoding])
