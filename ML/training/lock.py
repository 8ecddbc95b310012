"""The turn of a training: one at a time for each model, over all workers and servers on the store."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from ML.errors import Conflict
from ML.training import failures, process
from ML.versions import store
from ML.versions.card import Card, Origin

AWHILE, LONGER = 0.5, 5.0
"""Seconds for which a lock may be taken by somebody who only looks whether a training lives."""


@contextmanager
def taken(model: str) -> Iterator[int]:
    """Holds the training lock, what the dead left cleared. Raises Conflict while another training is under way."""
    with ExitStack() as held:
        began = time.monotonic()
        while (lock := _entered(held, model)) is None:
            waited = time.monotonic() - began
            # One that is ready may have its process on the way out.
            if waited > (AWHILE if under_way(model) else LONGER):
                raise busy(model)
            time.sleep(0.02)
        failures.sweep(model)
        yield lock


def _entered(held: ExitStack, model: str) -> int | None:
    with suppress(BlockingIOError):
        return held.enter_context(store.locked(model, process.LOCK, wait=False))
    return None


def claim(model: str, data: bytes, target_variable: str, origin: Origin, force: bool) -> Card:
    """A version to train, with its table in its folder. Call it within the model's `turn`."""
    card = store.claim(model, origin, target_variable)
    card.forced = force
    try:
        (store.folder(model, card.version) / store.UPLOAD).write_bytes(data)
        store.write(card)
    except OSError as error:
        failures.fail(card, error)
        raise
    return card


def busy(model: str) -> Conflict:
    """What to tell somebody whose training has to wait for another."""
    return Conflict(
        f"Version {under_way(model) or '?'} of {model} is in training; try again when it has ended, or DELETE it"
    )


def under_way(model: str) -> int | None:
    """The version in training."""
    return next((card.version for card in store.cards(model) if card.state == "training"), None)
