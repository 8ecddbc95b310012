"""Answers that refuse a request before its body is read."""

import asyncio
import logging
from typing import NamedTuple

from pydantic_core import to_json
from starlette.types import Scope, Send

from rest_api.http.errors import Shape
from rest_api.http.paths import route_path
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.refused")


class Refusal(NamedTuple):
    """A refusal. `reason` is its label in the metrics, and `delay` the seconds to wait before it is sent."""

    status: int
    reason: str
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    delay: float = 0.0

    async def send(self, scope: Scope, send: Send, shape: Shape) -> None:
        """Send the answer after the delay, and close the connection without waiting for the body."""
        counts.refused(self.reason)
        log.debug("%s refused: %s %s", scope["log"].id, self.status, self.reason)
        if self.delay:
            await asyncio.sleep(self.delay)
        status, fields = shape(route_path(scope), self.status, self.detail)
        body = to_json(fields)
        length = (b"content-length", str(len(body)).encode())
        headers = [(b"content-type", b"application/json"), length, (b"connection", b"close"), *self.headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        # The server keeps reading for a while before it closes. A reset could cost the client its answer.
        await send({"type": "http.response.body", "body": body})
