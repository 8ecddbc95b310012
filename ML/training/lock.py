"""The turn of a training: one at a time for each model, over all workers and servers on the store."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from ML.errors import Conflict
from ML.training import failures, process
from ML.versions import files, store
from ML.versions.card import Card, Origin

AWHILE, LONGER = 0.5, 5.0
"""Seconds for which a lock may be taken by somebody who only looks whether a training lives."""


@contextmanager
def training_lock(model: str) -> Iterator[int]:
    """Holds the training lock, what the dead left cleared. Raises Conflict while another training is under way."""
    with ExitStack() as held:
        began = time.monotonic()
        while (lock := _entered(held, model)) is None:
            waited = time.monotonic() - began
            # One that is ready may have its process on the way out.
            if waited > (AWHILE if version_in_training(model) else LONGER):
                raise already_training(model)
            time.sleep(0.02)
        failures.fail_dead(model)
        yield lock


def _entered(held: ExitStack, model: str) -> int | None:
    with suppress(BlockingIOError):
        return held.enter_context(files.locked(model, process.LOCK, wait=False))
    return None


def claim(model: str, data: bytes, target_variable: str, origin: Origin, force: bool) -> Card:
    """A version to train, with its table in its folder. Call it within the model's `turn`."""
    card = store.claim(model, origin, target_variable)
    card.forced = force
    try:
        (files.folder(model, card.version) / files.UPLOAD).write_bytes(data)
        store.write(card)
    except OSError as error:
        failures.fail(card, error)
        raise
    return card


def already_training(model: str) -> Conflict:
    """What to tell somebody whose training has to wait for another."""
    version = version_in_training(model) or "?"
    return Conflict(f"Version {version} of {model} is in training; try again when it has ended, or DELETE it")


def version_in_training(model: str) -> int | None:
    """The version in training."""
    return next((card.version for card in store.cards(model) if card.state == "training"), None)
