"""Who may call: credentials and size are checked before a byte of the body is read. Closed unless said to be public."""

import asyncio
from base64 import b64encode
from hmac import compare_digest
from typing import Any

from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ML.config.config import Settings

HEALTH = frozenset({"/health/live", "/health/ready"})
DOCS = frozenset({"/", "/docs", "/openapi.json", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon-32x32.png"})
LINGER_SECONDS = 2.0


class Guard:
    """ASGI middleware: default-deny HTTP basic authentication, then the size of the body.

    Raises nothing; answers 401 (RFC 7617) and 413 itself, and then closes the connection.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.user, self.most = app, settings.service_user, settings.max_body_bytes
        self.public = HEALTH | DOCS if settings.docs_public else HEALTH
        secret = f"{settings.service_user}:{settings.service_pass.get_secret_value()}"
        # Clients encode what is not ASCII as UTF-8 or, the older ones, as Latin-1.
        self.accepted = {b64encode(secret.encode(code, "replace")) for code in ("utf-8", "latin-1")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request through, or refuses it."""
        if scope["type"] != "http":
            return await self._other(scope, receive, send)
        headers = dict(scope["headers"])
        if self._allowed(headers.get(b"authorization", b"")):
            scope["log"]["user"] = self.user
        elif scope["method"] not in ("GET", "HEAD") or route_path(scope) not in self.public:
            return await refuse(receive, send, 401, "Wrong or no credentials; send SERVICE_USER and SERVICE_PASS by HTTP basic authentication",
                                (b"www-authenticate", b'Basic realm="fast-ml", charset="UTF-8"'))
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.most:
            return await refuse(receive, send, 413, f"The body has {int(length)} bytes, more than the {self.most} allowed; "
                                "send it in parts, gzip the CSV, or raise MAX_BODY_MB")
        await self.app(scope, receive, send)

    def _allowed(self, header: bytes) -> bool:
        scheme, _, sent = header.partition(b" ")
        sent = sent.strip()
        return any([compare_digest(sent, known) for known in self.accepted]) and scheme.lower() == b"basic"

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await self.app(scope, receive, send)


def route_path(scope: Scope) -> str:
    """The path as the routes see it: without the prefix under which a proxy serves the app, as Starlette takes it off."""
    path, root = scope["path"], scope.get("root_path", "")
    return str(path[len(root) :] if root and path.startswith(f"{root}/") else path)


async def refuse(receive: Receive, send: Send, status: int, detail: Any, *headers: tuple[bytes, bytes]) -> None:
    """Answers at once, and closes the connection without waiting for the body."""
    body = to_json({"detail": detail})
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-type", b"application/json"), length, (b"connection", b"close"), *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    # Closing while bytes of the body wait unread makes the kernel reset the connection, and the answer may be lost.
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while _more(await receive()):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


def _more(message: Message) -> bool:
    return message["type"] == "http.request" and bool(message.get("more_body"))
