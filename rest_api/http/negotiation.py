"""Chooses the type of an answer, JSON or CSV, by the Accept header (RFC 9110, 12.5.1)."""

import re
from functools import lru_cache

from starlette.types import Scope

from ML.errors import Problem

JSON, CSV = "application/json", "text/csv"
MAX_BYTES = 500
"""Longest Accept header whose result is cached."""

_QUALITY = re.compile(r"q\s*=\s*([01](?:\.\d{0,3})?|\.\d{1,3})", re.IGNORECASE)


class NotAcceptable(Problem):
    """The client accepts none of the types that the route can answer with."""

    status = 406


def csv_wanted(scope: Scope) -> bool:
    """Return whether the client prefers CSV to JSON. Raises NotAcceptable if it accepts neither."""
    header = b""
    for name, value in scope["headers"]:
        if name == b"accept":
            header = b"%b,%b" % (header, value) if header else value
    if not header or header == b"*/*":
        return False
    return _kept(header) if len(header) <= MAX_BYTES else _verdict(header)


def _verdict(header: bytes) -> bool:
    ranges = [_range(part) for part in header.decode("latin-1").split(",") if part.strip()]
    json, csv = (_quality(ranges, media_type) for media_type in (JSON, CSV))
    if not json and not csv:
        raise NotAcceptable(f"The answer is {JSON} or {CSV}; send one of them, or */*, in the Accept header")
    return csv > json


_kept = lru_cache(64)(_verdict)


def _range(part: str) -> tuple[str, float]:
    """Return a media range and its quality. Other parameters, such as `charset` or `header`, are ignored."""
    kind, *parameters = part.split(";")
    quality = next((match for each in parameters if (match := _QUALITY.fullmatch(each.strip()))), None)
    kind = kind.strip().lower()
    return "*/*" if kind == "*" else kind, float(quality[1]) if quality else 1.0


def _quality(ranges: list[tuple[str, float]], media_type: str) -> float:
    """Return the quality of the most specific range that matches; 0 if none does."""
    for pattern in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if qualities := [quality for kind, quality in ranges if kind == pattern]:
            return max(qualities)
    return 0.0
