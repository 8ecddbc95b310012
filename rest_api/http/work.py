"""Runs parsing and rendering: small work on the event loop, large work in a thread, the largest one at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from ML.tables.upload import GZIP

T = TypeVar("T")

INLINE_BYTES = 32 * 1024
"""Largest body that is parsed on the event loop, in a millisecond or two. Larger ones go to a thread."""

LARGE = 1024 * 1024
"""Bodies larger than this are parsed and rendered one at a time: that takes several times their memory."""

_large = ThreadPoolExecutor(1, "large")


def size_of(data: bytes) -> int:
    """Return the size of a file in bytes; more than LARGE for a gzip'd one, which may grow a thousandfold."""
    return LARGE + 1 if data[:2] == GZIP else len(data)


async def run(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Return the function's result. A body of this size doesn't block other requests."""
    if size <= INLINE_BYTES:
        return function(*arguments)
    if size <= LARGE:
        return await asyncio.to_thread(function, *arguments)
    call = partial(copy_context().run, function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(_large, call)
