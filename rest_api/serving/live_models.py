"""The predictor that serves each model in this worker; replaced when the store's pointer has moved."""

import asyncio
import gc
import logging
import math
import os
import time
from contextlib import suppress
from contextvars import Context
from functools import cache
from typing import NamedTuple

from ML.errors import NotReady, Problem
from ML.prediction import loading
from ML.prediction.predictor import Predictor
from ML.versions import catalog, files, provenance, store
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.live")

Stamp = tuple[int, int] | None

RETRY = 5.0
"""Seconds until a version that could not be loaded is tried again: the disk or the memory may have been short."""

SPAN = 20_000
"""New objects until the collector looks for cycles among them: by default 700, which a dozen requests make."""


class LoadedVersion(NamedTuple):
    """What was found at one state of the pointer: a predictor, or why there is none, and when to look again."""

    stamp: Stamp
    predictor: Predictor | None
    problem: str = ""
    retry_at: float = math.inf

    @property
    def name(self) -> str:
        """Model and version, `none` where there is no predictor."""
        return self.predictor.name if self.predictor else "none"

    def stale(self, model: str) -> bool:
        """Whether the pointer has moved since, or a failed load is due for another try."""
        return self.stamp != _stamp(model) or time.monotonic() > self.retry_at


class LiveModels:
    """One reference for each model. A request takes it once; a swap replaces it, and the old one ends with its last."""

    def __init__(self) -> None:
        self._held: dict[str, LoadedVersion] = {}
        self.fresh: dict[str, Predictor] = {}
        """What was taken in this turn of the loop: one look at the pointer does for all requests that came in it."""
        self._loading: dict[str, asyncio.Task[LoadedVersion]] = {}

    async def take(self, model: str) -> Predictor:
        """The predictor of the live version, loaded first if the pointer has moved. Raises NotFound and NotReady."""
        held = self._held.get(model)
        if held is None:
            catalog.check(model)
        # Again, because the pointer may have moved during the load.
        while held is None or held.stale(model):
            held = await self._load_once(model)
        if held.predictor is None:
            raise NotReady(held.problem)
        if not self.fresh:
            asyncio.get_running_loop().call_soon(self.fresh.clear, context=Context())
        self.fresh[model] = held.predictor
        return held.predictor

    async def load(self, model: str) -> Predictor:
        """Return the live version, loaded if it is not. One that failed to load is tried again at once.

        Raises NotFound and NotReady, the latter too where an earlier version answers in its place.
        """
        catalog.check(model)
        held = self._held.get(model)
        if held is None or held.problem or held.stale(model):
            held = await self._load_once(model)
        if held.predictor is None or held.problem:
            raise NotReady(held.problem)
        return held.predictor

    async def _load_once(self, model: str) -> LoadedVersion:
        """Loads in a thread; all requests that see the pointer moved wait for the same load."""
        if model not in self._loading:
            self._loading[model] = asyncio.create_task(self._load(model, _stamp(model)), context=Context())
        return await asyncio.shield(self._loading[model])

    async def _load(self, model: str, stamp: Stamp) -> LoadedVersion:
        before, begun = self._held.get(model, LoadedVersion(None, None)), time.perf_counter()
        try:
            found = LoadedVersion(stamp, await asyncio.to_thread(_loaded, model))
            log.info("serving %s", found.predictor and found.predictor.name)
            log.debug("%s: loaded in %.0f ms, in place of %s", model, 1000 * (time.perf_counter() - begun), before.name)
        except NotReady as error:
            found = LoadedVersion(stamp, None, str(error))
        except Exception as error:  # a broken version must not stop the one that serves
            log.error(
                "the live version of %s can't be loaded: %s",
                model,
                error,
                exc_info=not isinstance(error, Problem | OSError),
            )
            found = LoadedVersion(
                stamp,
                before.predictor or await asyncio.to_thread(_before, model),
                f"The live version of {model} can't be loaded: {error}",
                time.monotonic() + RETRY,
            )
        counts.loaded(model, time.perf_counter() - begun, found.predictor is not None and not found.problem)
        self._held[model] = found
        del self._loading[model]
        swapped = before.predictor is not None
        del before
        _tidy(swapped)
        return found


def _loaded(model: str) -> Predictor:
    found = loading.load(model, store.live(model).version).measured()
    if provenance.outdated(found.card.source):
        log.warning("ML/src has changed since %s was trained; train it again", found.name)
    return found


def _before(model: str) -> Predictor | None:
    """The newest version from before the live one that can be loaded: a worker that starts knows no better."""
    with suppress(Exception):  # whatever is wrong with the store, it was said
        live = store.current(model) or 0
        for card in store.cards(model):
            if card.version < live and card.state == "ready" and not card.held_back:
                with suppress(Exception):  # the next may be sound
                    found = loading.load(model, card.version).measured()
                    log.warning("serving %s in its place", found.name)
                    return found
    return None


def _stamp(model: str) -> Stamp:
    """What a replaced pointer file can't share with the one before; 2 us."""
    try:
        found = os.stat(_pointer(model))  # noqa: PTH116 - a Path would take longer than the call
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@cache
def _pointer(model: str) -> str:
    return str(files.folder(model) / files.POINTER)


def _tidy(swapped: bool) -> None:
    """Takes what is alive out of the collector's sight: a pass over scikit-learn's heap stalls requests for 100 ms.

    Where nothing was replaced, what was frozen before the fork stays so, and is shared by all workers.
    """
    if swapped:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(SPAN)
