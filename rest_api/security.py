"""Who may call what: credentials, role and size, before a byte of the body is read. Closed unless said to be open."""

import asyncio
from base64 import b64encode
from contextlib import suppress
from functools import partial
from hmac import compare_digest

from pydantic import SecretStr
from pydantic_core import to_json
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ML.config.config import Settings
from rest_api import metrics
from rest_api.protocols import enabled
from rest_api.protocols.enabled import protocols
from rest_api.protocols.protocol import pattern
from rest_api.server.extensions import SAME

HEALTH = frozenset({"/health/live", "/health/ready"})
DOCS = frozenset(
    {"/", "/docs", "/openapi.json", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon-32x32.png"}
)
# What PREDICT_USER may do. All else is for SERVICE_USER alone.
PREDICTOR = frozenset(
    {
        "POST /predict",
        "POST /models/{model}/predict",
        "POST /get_prediction",
        "GET /models",
        "GET /models/{model}",
        "GET /models/{model}/versions",
        "GET /models/{model}/versions/{version}",
        "GET /metrics",
    }
)
LINGER_SECONDS = 2.0
CHALLENGE = (b"www-authenticate", b'Basic realm="fast-ml", charset="UTF-8"')
QUIET = (b"www-authenticate", b'X-Basic realm="fast-ml"')
UNAUTHORIZED = "Wrong or no credentials; send SERVICE_USER and SERVICE_PASS by HTTP basic authentication"
FORBIDDEN = "{} may predict and read; to train, promote or delete, send SERVICE_USER and SERVICE_PASS"
TOO_LARGE = "The body has {} bytes, more than the {} allowed; send it in parts, gzip the CSV, or raise MAX_BODY_MB"


class Guard:
    """ASGI middleware: default-deny HTTP basic authentication, then the role, then the size of the body.

    Raises nothing; answers 401 (RFC 7617), 403 and 413 itself, and then closes the connection.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.trainer, self.most = app, settings.service_user, settings.max_body_bytes
        # The server holds a body to the length that it was announced with; only one without is to be counted.
        self.counted = RequestBodyLimitMiddleware(app, settings.max_body_bytes)
        self.public = HEALTH | DOCS if settings.docs_public else HEALTH
        self.predictor = pattern(PREDICTOR.union(*(protocol.routes for protocol in protocols())))
        self.open = pattern(enabled.open_routes())
        self.accepted = _known(settings.service_user, settings.service_pass)
        if settings.predict_pass:
            self.accepted += _known(settings.predict_user, settings.predict_pass)

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
        headers, refuse = dict(scope["headers"]), partial(_refuse, scope, receive, send)
        length = headers.get(b"content-length", b"0")
        if user := self._user(headers.get(b"authorization", b"")):
            scope["log"].user = user
            if user != self.trainer and not self._may(scope):
                await refuse(403, FORBIDDEN.format(user))
                return
        elif not self._public(scope):
            # A browser would answer the challenge to a script, Swagger UI's say, with a dialog of its own.
            asked_by_page = headers.get(b"sec-fetch-mode", b"navigate") != b"navigate"
            await refuse(401, UNAUTHORIZED, QUIET if asked_by_page else CHALLENGE)
            return
        # The parser takes any number of leading zeros; int() would not.
        if length.isdigit() and int(length[-20:]) > self.most:
            await refuse(413, TOO_LARGE.format(length.decode(), self.most))
            return
        if same is not None:
            same["user"] = user or "-"
        await (self.counted if b"transfer-encoding" in headers else self.app)(scope, receive, send)

    def _user(self, header: bytes) -> str | None:
        scheme, _, sent = header.partition(b" ")
        sent = sent.strip()
        # All, and each in constant time: how long a refusal takes must not tell how much was right.
        found = [user for known, user in self.accepted if compare_digest(sent, known)]
        return found[0] if found and scheme.lower() == b"basic" else None

    def _public(self, scope: Scope) -> bool:
        path, method = route_path(scope), "GET" if scope["method"] == "HEAD" else scope["method"]
        return (method == "GET" and path in self.public) or bool(self.open.fullmatch(f"{method} {path}"))

    def _may(self, scope: Scope) -> bool:
        path, method = route_path(scope), "GET" if scope["method"] == "HEAD" else scope["method"]
        public = method == "GET" and path in HEALTH | DOCS
        return public or bool(self.predictor.fullmatch(f"{method} {path}"))

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self.app(scope, receive, send)


def _known(user: str, password: SecretStr) -> list[tuple[bytes, str]]:
    """How clients may send it: in UTF-8, or, the older ones, in Latin-1 where that has all of its characters."""
    secret = f"{user}:{password.get_secret_value()}"
    found = [(b64encode(secret.encode()), user)]
    with suppress(UnicodeEncodeError):
        found.append((b64encode(secret.encode("latin-1")), user))
    return found


def route_path(scope: Scope) -> str:
    """The path as the routes see it: like Starlette, without the prefix under which a proxy serves the app."""
    path, root = scope["path"], scope.get("root_path", "")
    return str(path[len(root) :] if root and path.startswith(f"{root}/") else path)


async def _refuse(
    scope: Scope, receive: Receive, send: Send, status: int, detail: str, *headers: tuple[bytes, bytes]
) -> None:
    """Answers at once, and closes the connection without waiting for the body."""
    metrics.refused({401: "credentials", 403: "role", 413: "size"}[status])
    body = to_json(enabled.error(route_path(scope), status, detail))
    length = (b"content-length", str(len(body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json"), length, (b"connection", b"close"), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": True})
    # Closing while bytes of the body wait unread makes the kernel reset the connection, and the answer may be lost.
    # Not asyncio.timeout: a hot request has no task.
    reading = asyncio.ensure_future(_read_on(receive))
    await asyncio.wait({reading}, timeout=LINGER_SECONDS)
    reading.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _read_on(receive: Receive) -> None:
    while _more(await receive()):
        pass


def _more(message: Message) -> bool:
    return message["type"] == "http.request" and bool(message.get("more_body"))
