"""Answers that are rendered once and sent many times, plain or compressed, each with an ETag (RFC 9110)."""

import hashlib

from fastapi import Response
from starlette.types import Scope

from rest_api.http import encodings

MAX_HEADER_BYTES = 200
"""Longest Accept-Encoding header that is read, in bytes."""
_CACHING = {"cache-control": "no-cache", "vary": "Accept-Encoding"}


class Rendered:
    """A response, plain and compressed with each encoding that clients have asked for."""

    def __init__(self, response: Response, **headers: str) -> None:
        body = bytes(response.body)
        self._bodies = {b"": (body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')}
        self._headers = {**response.headers, **_CACHING, **headers}
        del self._headers["content-length"]

    def answer(self, scope: Scope) -> Response:
        """Return the body in an encoding that the client accepts, or 304 if the client already has it."""
        accept = encodings.header(scope, b"accept-encoding")
        encoding = encodings.accepted(accept) if len(accept) <= MAX_HEADER_BYTES else b""
        body, tag = self._bodies.get(encoding) or self._compressed(encoding)
        headers = self._headers | {"etag": tag}
        if _has(scope, tag):
            return Response(status_code=304, headers=headers)
        if encoding:
            headers["content-encoding"] = encoding.decode()
        return Response(body, headers=headers)

    def _compressed(self, encoding: bytes) -> tuple[bytes, str]:
        body, tag = self._bodies[b""]
        self._bodies[encoding] = encodings.compress(body, encoding), f'{tag[:-1]}-{encoding.decode()}"'
        return self._bodies[encoding]


def _has(scope: Scope, tag: str) -> bool:
    """Return whether If-None-Match lists the tag or `*`. A proxy may have made the tag a weak one."""
    sent = b",".join(value for name, value in scope["headers"] if name == b"if-none-match").decode("latin-1")
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in sent.split(","))
