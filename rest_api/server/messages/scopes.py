"""ASGI scopes: what the app gets to know of a request before its body."""

import asyncio
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from rest_api.server.extensions import CONNECTION
from rest_api.server.messages.refusals import Refused
from rest_api.server.messages.responses import Headers


class Scopes:
    """Builds the scopes of one connection's requests."""

    def __init__(self, transport: asyncio.Transport, app_state: dict[str, Any]) -> None:
        self._app_state = app_state
        self._memory: dict[str, Any] = {}
        self._peer = {
            "server": get_local_addr(transport),
            "client": get_remote_addr(transport),
            "scheme": "https" if is_ssl(transport) else "http",
        }

    def build(self, method: str, version: str, target: bytes, headers: Headers) -> dict[str, Any]:
        """Return the scope of a request. Raise Refused if its target is not a path."""
        path, query = _split(target)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": method,
            "path": unquote(path.decode()) if b"%" in path else path.decode(),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "state": self._app_state.copy(),
            "extensions": {CONNECTION: self._memory},
            **self._peer,
        }


def _split(target: bytes) -> tuple[bytes, bytes]:
    """Return path and query. Raise Refused."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise Refused(400, "The request target is not a path; send for example GET /docs HTTP/1.1") from None
    return url.path or b"/", url.query or b""
