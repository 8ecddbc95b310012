"""Loads versions for serving, and keeps the garbage collector away from them."""

import gc
import logging
from contextlib import suppress

from ML.prediction import loading
from ML.prediction.predictor import Predictor
from ML.versions import provenance, store

log = logging.getLogger("fast_ml.live")

COLLECT_AFTER = 20_000
"""New objects until the garbage collector looks for cycles. The default, 700, is reached every dozen requests."""


def load_live(model: str) -> Predictor:
    """Return the predictor of the live version, with its call time measured. Raise Problem if it can't be loaded."""
    live = loading.load(model, store.live(model).version).measured()
    if provenance.outdated(live.card.source):
        log.warning("ML/src has changed since %s was trained; train it again", live.name)
    return live


def load_earlier(model: str) -> Predictor | None:
    """Return the newest loadable version before the live one, for a worker that starts with a broken live version."""
    with suppress(Exception):  # an unreadable store was logged when the live version failed to load
        live = store.current(model) or 0
        for card in store.cards(model):
            if card.version < live and card.state == "ready" and not card.held_back:
                with suppress(Exception):  # the next one may load
                    earlier = loading.load(model, card.version).measured()
                    log.warning("serving %s in its place", earlier.name)
                    return earlier
    return None


def freeze_heap(swapped: bool) -> None:
    """Exclude all living objects from garbage collection: a pass over scikit-learn's heap stalls requests for 100 ms.

    If a version was replaced (`swapped`), unfreeze first, so that the old one can be collected. Otherwise objects that
    were frozen before the fork stay frozen, and all workers share their memory.
    """
    if swapped:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
