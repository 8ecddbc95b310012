"""Reads and decompresses a request's body. The server limits how many bytes a worker keeps (server/pool.py)."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from ML.config.config import settings
from ML.errors import Problem, TooLarge
from rest_api.http import encodings, work
from rest_api.server.extensions import HOLD, LET_GO, WHOLE


class TooManyBodies(Problem):
    """The worker has no room for another body."""

    status = 503
    headers = {"retry-after": "5"}  # noqa: RUF012


async def read(request: Request) -> bytes:
    """Return the body, decompressed if it has a Content-Encoding.

    Raises ClientDisconnect if the client is gone, WrongContentType, Broken or TooLarge if the body can't be
    decompressed, and TooManyBodies.
    """
    message = await request.receive()
    body = await _rest(message, request.receive) if message.get("more_body") else _part(message)
    extensions = request.scope.get("extensions", {})
    if WHOLE in extensions and HOLD not in extensions:  # by the server's word, the body is not compressed
        return body
    encoding = encodings.header(request.scope, b"content-encoding")
    if encoding and body:
        body = await _decompressed(body, encoding)
        hold = extensions.get(HOLD)
        if hold and len(body) > work.INLINE_BYTES and not hold(len(body)):
            raise TooManyBodies("The server holds as many bodies as it can: 4 times MAX_BODY_MB. Retry later")
    return body


def let_go(request: Request) -> None:
    """Tell the server that the body is no longer needed, long before a slow request ends. Not for hot routes."""
    if done := request.scope["extensions"].get(LET_GO):
        done()


async def _rest(message: Message, receive: Receive) -> bytes:
    # One growing buffer: as objects of their own, pieces of a few bytes would take a multiple of their size.
    whole = bytearray(_part(message))
    while message.get("more_body"):
        message = await receive()
        whole += _part(message)
    return bytes(whole)


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return bytes(message.get("body", b""))


async def _decompressed(body: bytes, encoding: bytes) -> bytes:
    most = settings().max_body_bytes
    try:  # small bodies don't wait for large ones
        return await asyncio.to_thread(encodings.decompress, body, encoding, min(work.LARGE, most))
    except TooLarge:
        return await work.run(work.LARGE + 1, encodings.decompress, body, encoding, most)
