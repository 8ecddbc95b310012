"""Where parsing and rendering happen: small work on the event loop, large in a thread, the largest one at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from ML.tables.upload import GZIP

T = TypeVar("T")

INLINE_BYTES = 32 * 1024
"""Bytes that are parsed on the event loop in a millisecond or two; more go to a thread."""

LARGE = 1024 * 1024
"""Bytes that take several times as much memory while they are parsed or rendered: one body at a time does."""

_large = ThreadPoolExecutor(1, "large")


def size_of(data: bytes) -> int:
    """Return the bytes of a file, or more than LARGE if it is gzip'd: a few kilobytes may unpack to many megabytes."""
    return LARGE + 1 if data[:2] == GZIP else len(data)


async def run(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Return what the function returns for a body of this size. Other requests go on meanwhile."""
    if size <= INLINE_BYTES:
        return function(*arguments)
    if size <= LARGE:
        return await asyncio.to_thread(function, *arguments)
    call = partial(copy_context().run, function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(_large, call)
