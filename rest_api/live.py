"""The predictor that serves each model in this worker; replaced when the store's pointer has moved."""

import asyncio
import gc
import logging
import os
from functools import cache
from typing import NamedTuple

from ML import estimators, predictor, store
from ML.errors import NotReady, Problem
from ML.predictor import Predictor

log = logging.getLogger("fast_ml.live")

Stamp = tuple[int, int] | None


class Held(NamedTuple):
    """What was found at one state of the pointer: a predictor, or why there is none."""

    stamp: Stamp
    predictor: Predictor | None
    problem: str = ""


class Live:
    """One reference for each model. A request takes it once; a swap replaces it, and the old one ends with its last."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._loading: dict[str, asyncio.Task[Held]] = {}

    async def take(self, model: str) -> Predictor:
        """The predictor of the live version, loaded first if the pointer has moved. Raises NotFound and NotReady."""
        held = self._held.get(model)
        if held is None:
            estimators.check(model)
        stamp = _stamp(model)
        if held is None or held.stamp != stamp:
            held = await self._load_once(model, stamp)
        if held.predictor is None:
            raise NotReady(held.problem)
        return held.predictor

    async def _load_once(self, model: str, stamp: Stamp) -> Held:
        """Loads in a thread; all requests that see the pointer moved wait for the same load."""
        if model not in self._loading:
            self._loading[model] = asyncio.create_task(self._load(model, stamp))
            self._loading[model].add_done_callback(lambda _: self._loading.pop(model))
        return await asyncio.shield(self._loading[model])

    async def _load(self, model: str, stamp: Stamp) -> Held:
        before = self._held.get(model, Held(None, None))
        try:
            found = Held(stamp, await asyncio.to_thread(lambda: predictor.load(model, store.live(model).version)))
            log.info("serving %s", found.predictor and found.predictor.name)
        except NotReady as error:
            found = Held(stamp, None, str(error))
        except Exception as error:  # a broken version must not stop the one that serves
            log.error(
                "the live version of %s can't be loaded: %s",
                model,
                error,
                exc_info=not isinstance(error, Problem),
            )
            found = Held(stamp, before.predictor, f"The live version of {model} can't be loaded: {error}")
        self._held[model] = found
        del before
        _tidy()
        return found


def _stamp(model: str) -> Stamp:
    """What a replaced pointer file can't share with the one before; 2 us."""
    try:
        found = os.stat(_pointer(model))  # noqa: PTH116 - a Path would take longer than the call
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@cache
def _pointer(model: str) -> str:
    return str(store.folder(model) / store.POINTER)


def _tidy() -> None:
    """Takes what is alive out of the collector's sight: a pass over scikit-learn's heap stalls requests for 100 ms."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
