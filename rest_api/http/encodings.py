"""Content encodings: bodies that come packed, and answers that a client takes packed (RFC 9110)."""

import re
import zlib
from functools import lru_cache

from starlette.types import Scope

from ML.errors import Problem
from ML.tables import compression
from rest_api.http.content_types import WrongContentType

WORTH = 1400
"""Bytes of an answer that are packed: fewer go in one packet anyway."""

MAX_KEPT = 200
"""Bytes of an Accept-Encoding header whose verdict is kept."""

_WBITS = {b"gzip": compression.GZIP, b"x-gzip": compression.GZIP, b"deflate": compression.DEFLATE}
_CODING = re.compile(rb"(gzip|deflate)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?", re.IGNORECASE)


class Broken(Problem):
    """A body that can't be unpacked."""

    status = 400


def header(scope: Scope, name: bytes) -> bytes:
    """A header's value, empty where it is missing."""
    for known, value in scope["headers"]:
        if known == name:
            return bytes(value)
    return b""


def unpacked(body: bytes, encoding: bytes, most: int) -> bytes:
    """The body itself. Raises Broken, TooLarge past `most` bytes, and WrongContentType for an unknown encoding."""
    encoding = encoding.strip().lower()
    if encoding == b"identity":
        return body
    if encoding not in _WBITS:
        raise WrongContentType(f"The content encoding {encoding.decode('latin-1')} is not known; use gzip or deflate")
    try:
        return compression.unpack(body, most, _WBITS[encoding])
    except (zlib.error, EOFError) as error:
        said = str(error) or "it ends too early"
        raise Broken(f"The body can't be unpacked by {encoding.decode()}: {said}") from None


def accepted(header: bytes) -> bytes:
    """The encoding for an answer, of those that an Accept-Encoding lists; empty for none."""
    return _kept(header) if len(header) <= MAX_KEPT else _accepted(header)


def _accepted(header: bytes) -> bytes:
    for part in header.split(b","):
        found = _CODING.fullmatch(part.strip())
        if found and (found[2] or b"1").strip(b"0."):
            return found[1].lower()
    return b""


_kept = lru_cache(256)(_accepted)


def packed(body: bytes, encoding: bytes) -> bytes:
    """The body in one of those encodings, quickly rather than tightly."""
    return zlib.compress(body, 1, _WBITS[encoding])
