"""A response whose body is already encoded."""

from collections.abc import Sequence

from fastapi import Response
from starlette.types import Receive, Scope, Send

from rest_api.server.extensions import WHOLE


class Json(Response):
    """An encoded body, JSON by default, sent in a single message if the server supports that (WHOLE)."""

    def __init__(
        self,
        body: bytes,
        content_type: bytes = b"application/json",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.body, self.status_code, self.background = body, 200, None
        self.raw_headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        if WHOLE in scope.get("extensions", ()):
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers, "body": self.body}
            await send(start)
        else:
            await super().__call__(scope, receive, send)
