"""A request's body, whole and unpacked. The server bounds the bytes of bodies that a worker keeps (server/pool.py)."""

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from ML.config.config import settings
from ML.errors import Problem
from rest_api import encodings, work
from rest_api.server.extensions import HOLD


class TooManyBodies(Problem):
    """The worker keeps as many bytes of bodies as it may."""

    status = 503
    headers = {"retry-after": "5"}  # noqa: RUF012


async def read(request: Request) -> bytes:
    """Return the body, unpacked as its Content-Encoding says.

    Raises ClientDisconnect if the caller has gone; WrongContentType, Broken and TooLarge for what can't be unpacked;
    TooManyBodies.
    """
    body = await _whole(request.receive)
    encoding = encodings.header(request.scope, b"content-encoding")
    if encoding and body:
        body = await work.run(work.LARGE + 1, encodings.unpacked, body, encoding, settings().max_body_bytes)
        hold = request.scope["extensions"].get(HOLD)
        if hold and len(body) > work.SMALL and not hold(len(body)):
            raise TooManyBodies("The server holds as many bodies as it can: 4 times MAX_BODY_MB. Retry later")
    return body


async def _whole(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)
