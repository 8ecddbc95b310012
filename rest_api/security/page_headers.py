"""Headers of the documentation pages: no other site may embed them in a frame, and they run only their own script."""

import re
from base64 import b64encode
from hashlib import sha256

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rest_api.http.paths import route_path
from rest_api.security.access import DOCS

POLICY = "Content-Security-Policy"
CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
SWAGGER_UI = (
    "; script-src 'self' 'sha256-{}'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"
)
HEADERS = {"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}
"""In addition to `nosniff`, which every answer has (server/worker.py)."""

_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class PageHeaders:
    """ASGI middleware: adds the headers to the answers of the documentation's routes, and to no others."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or route_path(scope) not in DOCS:
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault(POLICY, CLOSED)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def allow_own_script(page: HTMLResponse) -> HTMLResponse:
    """Return Swagger UI's page with a policy that allows its scripts, including the one inline script."""
    script = _INLINE.search(bytes(page.body))
    assert script, "FastAPI's page starts Swagger UI in an inline script"
    page.headers[POLICY] = CLOSED + SWAGGER_UI.format(b64encode(sha256(script[1]).digest()).decode())
    return page
