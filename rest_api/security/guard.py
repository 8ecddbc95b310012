"""Who may call what: host, origin, credentials, role and size, before a byte of the body is read.

Closed unless said to be open.
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
from rest_api.server.extensions import CONNECTION, SAME

NOTHING: dict[str, Any] = {}

CHALLENGE = (b"www-authenticate", b'Basic realm="fast-ml", charset="UTF-8"')
QUIET = (b"www-authenticate", b'X-Basic realm="fast-ml"')
UNAUTHORIZED = "Wrong or no credentials; send SERVICE_USER and SERVICE_PASS by HTTP basic authentication"
FORBIDDEN = "{} may predict and read; to train, promote or delete, send SERVICE_USER and SERVICE_PASS"
TOO_LARGE = "The body has {} bytes, more than the {} allowed; send it in parts, gzip the CSV, or raise MAX_BODY_MB"


class Guard:
    """ASGI middleware: the Host, the page that sends, default-deny HTTP basic authentication, the role, the size.

    Raises nothing; answers 400, 401 (RFC 7617), 403, 413 and 429 itself, and then closes the connection.
    """

    def __init__(self, app: ASGIApp, settings: Settings, access: Access, shape: Shape) -> None:
        self.access, self.shape = access, shape
        self.app, self.trainer, self.most = app, settings.service_user, settings.max_body_bytes
        # The server holds a body to the length that it was announced with; only one without is to be counted.
        self.counted = RequestBodyLimitMiddleware(app, settings.max_body_bytes)
        self.hosts, self.origins = Hosts(settings), Origins(settings.cors_origins)
        self.credentials, self.throttle = Credentials(settings), Throttle(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request through, or refuses it. Settings don't change: one head is always judged alike."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        same: dict[str, str] | None = scope.get("extensions", {}).get(SAME)
        if same:
            scope["log"].user = same["user"]
            await self.app(scope, receive, send)
            return
        headers = joined(scope["headers"])
        refuse = self._sender(scope["method"], headers) or self._caller(scope, headers) or self._size(headers)
        if refuse:
            await refuse.send(scope, send, self.shape)
            return
        if same is not None:
            same["user"] = scope["log"].user
        await (self.counted if b"transfer-encoding" in headers else self.app)(scope, receive, send)

    def _sender(self, method: str, headers: Headers) -> Refusal | None:
        """Refuse a foreign host, and a page of another site. This depends on the headers alone."""
        host = headers.get(b"host")
        if host is not None and host not in self.hosts:
            return Refusal(400, "host", hosts.refusal(host))
        if not self.origins.allow(method, headers):
            return Refusal(403, "origin", origins.refusal(headers))
        return None

    def _caller(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Refuse wrong credentials, any from an address that guesses, and what the user may not do."""
        sent = headers.get(b"authorization")
        user = self._known(scope, headers) if sent else None
        if sent and not user:
            if refusal := self.throttle.refuse(scope, headers):
                return None if self.access.is_public(scope) else refusal
            user = self.credentials.user(sent)
            self._remember(scope, headers, user)
        if not user and self.access.is_public(scope):
            if sent and route_path(scope) in DOCS:  # with right ones the document would tell more
                self.throttle.wrong(scope, headers)
            return None
        if not user:
            return self._unknown(scope, headers)
        scope["log"].user = user
        if user != self.trainer and not self.access.is_predictors(scope):
            return Refusal(403, "role", FORBIDDEN.format(user))
        return None

    def _known(self, scope: Scope, headers: Headers) -> str | None:
        """Return the user whose credentials were right on this connection before, from the same client."""
        known: dict[str, Any] = scope.get("extensions", {}).get(CONNECTION, NOTHING)
        # A proxy sends requests of several clients over one connection: X-Forwarded-For tells them apart.
        same = known.get("authorization") == headers[b"authorization"]
        return known["user"] if same and known["forwarded"] == headers.get(b"x-forwarded-for") else None

    def _remember(self, scope: Scope, headers: Headers, user: str | None) -> None:
        known = scope.get("extensions", {}).get(CONNECTION)
        if user and known is not None:
            forwarded = headers.get(b"x-forwarded-for")
            known |= {"authorization": headers[b"authorization"], "forwarded": forwarded, "user": user}

    def _unknown(self, scope: Scope, headers: Headers) -> Refusal:
        """Refuse wrong credentials slowly, and count them; without any it was no guess."""
        slow = self.throttle.wrong(scope, headers) if headers.get(b"authorization") else 0.0
        if isinstance(slow, Refusal):
            return slow
        # A browser would answer the challenge to a script, Swagger UI's say, with a dialog of its own.
        asked_by_page = headers.get(b"sec-fetch-mode", b"navigate") != b"navigate"
        return Refusal(401, "credentials", UNAUTHORIZED, (QUIET if asked_by_page else CHALLENGE,), slow)

    def _size(self, headers: Headers) -> Refusal | None:
        length = headers.get(b"content-length", b"0")
        # The parser takes any number of leading zeros; int() would not.
        if length.isdigit() and int(length[-20:]) > self.most:
            return Refusal(413, "size", TOO_LARGE.format(length.decode(), self.most))
        return None

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self.app(scope, receive, send)


def joined(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers by name, those of one name as a list (RFC 9110, 5.3): neither the first nor the last wins."""
    headers = dict(raw)
    if len(headers) < len(raw):
        found: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            found.setdefault(name, []).append(value)
        headers = {name: b", ".join(values) for name, values in found.items()}
    return headers
