"""Decides about each request before a byte of its body is read: the sender, the caller, the size.

Every route needs credentials unless access.py lists it as public.
"""

from typing import Any

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from ML.config.config import Settings
from rest_api.http.errors import Shape
from rest_api.http.paths import route_path
from rest_api.security import hosts, origins
from rest_api.security.access import DOCS, Access
from rest_api.security.credentials import Credentials
from rest_api.security.hosts import Hosts
from rest_api.security.origins import Headers, Origins
from rest_api.security.refusals import Refusal
from rest_api.security.throttle import Throttle
from rest_api.server.extensions import CONNECTION

NOTHING: dict[str, Any] = {}

CHALLENGE = (b"www-authenticate", b'Basic realm="fast-ml", charset="UTF-8"')
QUIET_CHALLENGE = (b"www-authenticate", b'X-Basic realm="fast-ml"')
"""For scripts in a browser, such as Swagger UI: the browser would answer CHALLENGE with a login dialog of its own."""

UNAUTHORIZED = "Missing or wrong credentials; send SERVICE_USER and SERVICE_PASS by HTTP basic authentication"
FORBIDDEN = "{} may predict and read; to train, promote or delete, send SERVICE_USER and SERVICE_PASS"
TOO_LARGE = "The body has {} bytes, more than the {} allowed; send it in parts, gzip the CSV, or raise MAX_BODY_MB"


class Guard:
    """ASGI middleware that asks three questions about a request and refuses it at the first wrong answer.

    1. The sender: does the request name this host, and does it come from no other site's web page?
    2. The caller: do the credentials (HTTP basic authentication) name a user, and may that user call this route?
    3. The size: is the body no longer than MAX_BODY_MB, by its Content-Length?

    A refusal is a 400, 401 (RFC 7617), 403, 413 or 429, and closes the connection.
    """

    def __init__(self, app: ASGIApp, settings: Settings, access: Access, shape: Shape) -> None:
        self.app, self.access, self.shape = app, access, shape
        self.trainer, self.max_bytes = settings.service_user, settings.max_body_bytes
        # The server holds a body to its Content-Length, so only chunked bodies have to be counted as they arrive.
        self.counting_app = RequestBodyLimitMiddleware(app, settings.max_body_bytes)
        self.hosts, self.origins = Hosts(settings), Origins(settings.cors_origins)
        self.credentials, self.throttle = Credentials(settings), Throttle(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._handle_non_http(scope, receive, send)
            return
        headers = joined(scope["headers"])
        refusal = (
            self._check_sender(scope["method"], headers)
            or self._check_caller(scope, headers)
            or self._check_size(headers)
        )
        if refusal:
            await refusal.send(scope, send, self.shape)
            return
        await (self.counting_app if b"transfer-encoding" in headers else self.app)(scope, receive, send)

    def _check_sender(self, method: str, headers: Headers) -> Refusal | None:
        """Refuse a request for another host, and one that another site's web page sent."""
        host = headers.get(b"host")
        if host is not None and host not in self.hosts:
            return Refusal(400, "host", hosts.refusal(host))
        if not self.origins.allow(method, headers):
            return Refusal(403, "origin", origins.refusal(headers))
        return None

    def _check_caller(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Refuse a caller without valid credentials, unless the route is public, and a user without the role for it."""
        if not headers.get(b"authorization"):
            return None if self.access.is_public(scope) else _unauthorized(headers)
        user = self._remembered(scope, headers)
        if not user:
            if blocked := self.throttle.refuse(scope, headers):
                return None if self.access.is_public(scope) else blocked
            user = self.credentials.user(headers[b"authorization"])
            if not user:
                return self._wrong_credentials(scope, headers)
            _remember(scope, headers, user)
        scope["log"].user = user
        if user != self.trainer and not self.access.is_predictors(scope):
            return Refusal(403, "role", FORBIDDEN.format(user))
        return None

    def _remembered(self, scope: Scope, headers: Headers) -> str | None:
        """Return the user whose same credentials were valid before on this connection, from the same client."""
        known: dict[str, Any] = scope.get("extensions", {}).get(CONNECTION, NOTHING)
        # A proxy may send requests of several clients over one connection. X-Forwarded-For tells them apart.
        same = known.get("authorization") == headers[b"authorization"]
        return known["user"] if same and known["forwarded"] == headers.get(b"x-forwarded-for") else None

    def _wrong_credentials(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Count the wrong password and refuse it slowly. A public route ignores it."""
        if self.access.is_public(scope):
            if route_path(scope) in DOCS:  # valid credentials would show examples from the training data
                self.throttle.wrong(scope, headers)
            return None
        delay = self.throttle.wrong(scope, headers)
        return delay if isinstance(delay, Refusal) else _unauthorized(headers, delay)

    def _check_size(self, headers: Headers) -> Refusal | None:
        """Refuse a body whose Content-Length is too large."""
        length = headers.get(b"content-length", b"0")
        # The last 20 digits are enough: the parser accepts any number of leading zeros, int() does not.
        if length.isdigit() and int(length[-20:]) > self.max_bytes:
            return Refusal(413, "size", TOO_LARGE.format(length.decode(), self.max_bytes))
        return None

    async def _handle_non_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on lifespan events, and close WebSockets: the server has none."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self.app(scope, receive, send)


def _remember(scope: Scope, headers: Headers, user: str) -> None:
    """Keep the valid credentials for as long as the connection lives."""
    known = scope.get("extensions", {}).get(CONNECTION)
    if known is not None:
        forwarded = headers.get(b"x-forwarded-for")
        known |= {"authorization": headers[b"authorization"], "forwarded": forwarded, "user": user}


def _unauthorized(headers: Headers, delay: float = 0.0) -> Refusal:
    """Return the refusal of missing or wrong credentials, to be sent after so many seconds."""
    from_script = headers.get(b"sec-fetch-mode", b"navigate") != b"navigate"
    return Refusal(401, "credentials", UNAUTHORIZED, (QUIET_CHALLENGE if from_script else CHALLENGE,), delay)


def joined(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers by name. Several with one name become one list (RFC 9110, 5.3), so that none is ignored."""
    headers = dict(raw)
    if len(headers) < len(raw):
        values_by_name: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            values_by_name.setdefault(name, []).append(value)
        headers = {name: b", ".join(values) for name, values in values_by_name.items()}
    return headers
