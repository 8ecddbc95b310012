"""The live predictor of each model in this worker, replaced when the store's pointer to the live version changes."""

import asyncio
import logging
import math
import os
import time
from contextvars import Context
from functools import cache
from typing import NamedTuple

from ML.errors import NotReady, Problem
from ML.prediction.predictor import Predictor
from ML.versions import catalog, files
from rest_api.serving.loading import freeze_heap, load_earlier, load_live
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.live")

Stamp = tuple[int, int] | None
"""Inode and modification time of the pointer file, or None if it is missing."""

RETRY_SECONDS = 5.0
"""Time until a failed load is retried: the disk or the memory may have been short."""


class LoadedVersion(NamedTuple):
    """The result of a load: a predictor, or the problem, and when to load again."""

    stamp: Stamp
    """The pointer file when the load began."""
    predictor: Predictor | None
    """The live version; if it failed to load, an earlier one or None."""
    problem: str = ""
    """Why the live version failed to load."""
    retry_at: float = math.inf
    """In seconds of `time.monotonic`."""

    def stale(self, model: str) -> bool:
        """Return whether the pointer has changed since, or a failed load is due for a retry."""
        return self.stamp != _stamp(model) or time.monotonic() > self.retry_at


class LiveModels:
    """The live predictors. A request takes one once and keeps it; a replaced one lives until its last request ends."""

    def __init__(self) -> None:
        self.fresh: dict[str, Predictor] = {}
        """Predictors already checked in this loop iteration; later requests skip the stat call."""
        self._loaded: dict[str, LoadedVersion] = {}
        self._loading: dict[str, asyncio.Task[LoadedVersion]] = {}

    async def take(self, model: str) -> Predictor:
        """Return the live predictor, loaded first if the pointer has changed. Raise NotFound and NotReady."""
        loaded = self._loaded.get(model)
        if loaded is None:
            catalog.check(model)
        # In a loop, because the pointer may change during the load.
        while loaded is None or loaded.stale(model):
            loaded = await self._load_once(model)
        if loaded.predictor is None:
            raise NotReady(loaded.problem)
        if not self.fresh:
            asyncio.get_running_loop().call_soon(self.fresh.clear, context=Context())
        self.fresh[model] = loaded.predictor
        return loaded.predictor

    async def load(self, model: str) -> Predictor:
        """Return the live predictor, and retry a failed load at once.

        Raise NotFound, and NotReady if the live version can't be loaded, even while an earlier version serves.
        """
        catalog.check(model)
        loaded = self._loaded.get(model)
        if loaded is None or loaded.problem or loaded.stale(model):
            loaded = await self._load_once(model)
        if loaded.predictor is None or loaded.problem:
            raise NotReady(loaded.problem)
        return loaded.predictor

    async def _load_once(self, model: str) -> LoadedVersion:
        """Load in a thread. All requests that need the same load wait for one task."""
        if model not in self._loading:
            self._loading[model] = asyncio.create_task(self._load(model, _stamp(model)), context=Context())
        return await asyncio.shield(self._loading[model])

    async def _load(self, model: str, stamp: Stamp) -> LoadedVersion:
        before, begun = self._predictor(model), time.perf_counter()
        loaded = await _try_load(model, stamp, before)
        counts.loaded(model, time.perf_counter() - begun, loaded.predictor is not None and not loaded.problem)
        self._loaded[model] = loaded
        del self._loading[model]
        swapped = before is not None
        del before  # so that the garbage collector can free it
        freeze_heap(swapped)
        return loaded

    def _predictor(self, model: str) -> Predictor | None:
        loaded = self._loaded.get(model)
        return loaded and loaded.predictor


async def _try_load(model: str, stamp: Stamp, before: Predictor | None) -> LoadedVersion:
    """Load the live version. If that fails, keep `before` or fall back to an earlier version."""
    begun, replaced = time.perf_counter(), before.name if before else "none"
    try:
        live = await asyncio.to_thread(load_live, model)
    except NotReady as error:
        return LoadedVersion(stamp, None, str(error))
    except Exception as error:  # a broken version must not stop the one that serves
        log.error(
            "the live version of %s can't be loaded: %s",
            model,
            error,
            exc_info=not isinstance(error, Problem | OSError),
        )
        earlier = before or await asyncio.to_thread(load_earlier, model)
        problem = f"The live version of {model} can't be loaded: {error}"
        return LoadedVersion(stamp, earlier, problem, time.monotonic() + RETRY_SECONDS)
    log.info("serving %s", live.name)
    log.debug("%s: loaded in %.0f ms, in place of %s", model, 1000 * (time.perf_counter() - begun), replaced)
    return LoadedVersion(stamp, live)


def _stamp(model: str) -> Stamp:
    """Return what a replaced pointer file can't share with its predecessor. Takes 2 us."""
    try:
        status = os.stat(_pointer(model))  # noqa: PTH116 - building a Path takes longer than the call
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


@cache
def _pointer(model: str) -> str:
    return str(files.folder(model) / files.POINTER)
