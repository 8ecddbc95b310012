"""The training lock: one training of a model at a time, over all workers and servers that share the store."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from ML.errors import Conflict
from ML.training import failures, process
from ML.versions import files, store
from ML.versions.card import Card, Origin

CHECK_SECONDS = 0.5
"""How long to wait for a lock that another process may hold only to check whether a training is alive."""
EXIT_SECONDS = 5.0
"""How long to wait if no version is in training: the process of the last one may be exiting."""
POLL_SECONDS = 0.02


@contextmanager
def training_lock(model: str) -> Iterator[int]:
    """Hold the training lock, and yield its file descriptor. Clear what dead trainings left first.

    Raise Conflict if the model is already in training.
    """
    with ExitStack() as stack:
        began = time.monotonic()
        while (lock := _try_to_lock(stack, model)) is None:
            waited = time.monotonic() - began
            if waited > (CHECK_SECONDS if version_in_training(model) else EXIT_SECONDS):
                raise already_training(model)
            time.sleep(POLL_SECONDS)
        failures.fail_dead(model)
        yield lock


def _try_to_lock(stack: ExitStack, model: str) -> int | None:
    with suppress(BlockingIOError):
        return stack.enter_context(files.locked(model, process.LOCK, wait=False))
    return None


def claim(model: str, data: bytes, target_variable: str, origin: Origin, force: bool) -> Card:
    """Create a version to train, with its table in its folder. The caller holds the model's training lock."""
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
    """Return the error for a caller whose training would have to wait for another."""
    version = version_in_training(model) or "?"
    return Conflict(f"Version {version} of {model} is in training; try again when it has ended, or DELETE it")


def version_in_training(model: str) -> int | None:
    """Return the number of the version in training, None if there is none."""
    return next((card.version for card in store.cards(model) if card.state == "training"), None)
