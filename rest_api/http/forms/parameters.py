"""Parses the parameters of a header, as in `form-data; name="a"; filename="b"`, in linear time.

The standard library's parser, which python-multipart uses, takes quadratic time for a header full of semicolons.
"""

import re
from functools import lru_cache

MAX_CACHED_BYTES = 256
"""Longest header whose parameters are cached. Headers that clients repeat are short."""

_PARAMETER = re.compile(
    rb"""[ \t]*+ ([^\s;="]++) [ \t]*+ = [ \t]*+ (?: "((?:[^"\\]|\\.)*+)" | ([^;"]*+) ) [ \t]*+ (?=;|\Z)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(rb'\\(["\\])')


def parse(value: bytes) -> dict[bytes, bytes]:
    """Return the parameters by name in lower case. Malformed ones are left out; of two with one name, the last wins."""
    return _kept(value) if len(value) <= MAX_CACHED_BYTES else _parse(value)


def _parse(value: bytes) -> dict[bytes, bytes]:
    parameters = {}
    place = value.find(b";")
    while place != -1:
        match = _PARAMETER.match(value, place + 1)
        if match:
            name, quoted, plain = match.groups()
            parameters[name.lower()] = plain.strip() if quoted is None else _ESCAPED.sub(rb"\1", quoted)
        place = value.find(b";", match.end() if match else place + 1)
    return parameters


_kept = lru_cache(256)(_parse)
