"""A request's body, whole and unpacked. The server bounds the bytes of bodies that a worker keeps (server/pool.py)."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from ML.config.config import settings
from ML.errors import Problem, TooLarge
from rest_api.http import encodings, work
from rest_api.server.extensions import HOLD, LET_GO, WHOLE


class TooManyBodies(Problem):
    """The worker keeps as many bytes of bodies as it may."""

    status = 503
    headers = {"retry-after": "5"}  # noqa: RUF012


async def read(request: Request) -> bytes:
    """Return the body, unpacked as its Content-Encoding says.

    Raises ClientDisconnect if the caller has gone; WrongContentType, Broken and TooLarge for what can't be unpacked;
    TooManyBodies.
    """
    message = await request.receive()
    body = await _rest(message, request.receive) if message.get("more_body") else _part(message)
    extensions = request.scope.get("extensions", {})
    if WHOLE in extensions and HOLD not in extensions:  # the server has looked: the body is not packed
        return body
    encoding = encodings.header(request.scope, b"content-encoding")
    if encoding and body:
        body = await _unpacked(body, encoding)
        hold = extensions.get(HOLD)
        if hold and len(body) > work.INLINE_BYTES and not hold(len(body)):
            raise TooManyBodies("The server holds as many bodies as it can: 4 times MAX_BODY_MB. Retry later")
    return body


def let_go(request: Request) -> None:
    """Take note that nobody keeps the body any more, for a request that takes long. Not for hot routes."""
    if done := request.scope["extensions"].get(LET_GO):
        done()


async def _rest(message: Message, receive: Receive) -> bytes:
    # One piece that grows: a client that sends a few bytes at a time would have each of its pieces take a multiple.
    whole = bytearray(_part(message))
    while message.get("more_body"):
        message = await receive()
        whole += _part(message)
    return bytes(whole)


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return bytes(message.get("body", b""))


async def _unpacked(body: bytes, encoding: bytes) -> bytes:
    most = settings().max_body_bytes
    try:  # small ones don't wait for large ones
        return await asyncio.to_thread(encodings.unpacked, body, encoding, min(work.LARGE, most))
    except TooLarge:
        return await work.run(work.LARGE + 1, encodings.unpacked, body, encoding, most)
