"""Finds requests that a browser sends for another site's page, with the credentials that the user gave for this one.

The checks are those of Go's net/http.CrossOriginProtection: https://words.filippo.io/csrf/
"""

import re
from collections.abc import Mapping

Headers = Mapping[bytes, bytes]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so that links from other sites work."""

FORMS = frozenset({b"", b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"})
"""Content types that a browser sends to another site without a CORS preflight (https://fetch.spec.whatwg.org)."""

_AUTHORITY = rb"(\[[0-9a-f:.]+\]|[^\[\]:/?#@,\s]+)(?::(\d+))?"
_ORIGIN = re.compile(rb"(https?)://" + _AUTHORITY)
_HOST = re.compile(_AUTHORITY)
REMEDY = "The request was sent by a web page of another origin{}. To allow that page, add its origin to CORS_ORIGINS."


class Origins:
    """The origins whose pages may do more than read: the server's own origin and those in CORS_ORIGINS."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._any = "*" in allowed
        self._allowed = frozenset(origin.encode() for origin in allowed)

    def allow(self, method: str, headers: Headers) -> bool:
        """Return whether the request comes from a page of such an origin, or from no page at all."""
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if (site is None and origin is None) or method in SAFE or origin in self._allowed:
            return True
        if site is not None:
            own = site in (b"same-origin", b"none")
        else:  # an older browser, or one without TLS
            own = _names(origin or b"", headers.get(b"host", b""))
        return own or (self._any and _without_remembered_credentials(method, headers))


def refusal(headers: Headers) -> str:
    """Return the message for a request from another origin."""
    origin = headers.get(b"origin", b"")[:200].decode("latin-1")
    return REMEDY.format(f": {origin}" if origin else "")


def _names(origin: bytes, host: bytes) -> bool:
    """Return whether both have the same host and port. The scheme may differ, because a proxy may terminate TLS."""
    one, other = _ORIGIN.fullmatch(origin.lower()), _HOST.fullmatch(host.lower())
    if not one or not other:
        return False
    usual = b"443" if one[1] == b"https" else b"80"
    return (one[2], one[3] or usual) == (other[1], other[2] or usual)


def _without_remembered_credentials(method: str, headers: Headers) -> bool:
    """Return whether the browser can't have added remembered credentials to a request for another site's page.

    For other methods and content types it sends a preflight first, and CORS_ORIGINS=* doesn't allow credentials then.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return b"authorization" not in headers or method != "POST" or kind not in FORMS
