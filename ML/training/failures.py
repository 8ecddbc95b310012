"""Failed trainings: the card stays, with the reason; the other files are deleted."""

import errno
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from ML.config.config import settings
from ML.errors import Conflict, Problem
from ML.training import process
from ML.versions import files, retention, store
from ML.versions.card import Card

log = logging.getLogger("fast_ml.training")

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO}
"""Errors that mean that the store can't be written."""
STOP_SECONDS = 10.0
"""How long a training may take to stop."""
POLL_SECONDS = 0.02


class Died(Problem):
    """The training process ended unexpectedly."""

    status = 500


class Stopped(Problem):
    """A caller deleted the version while it was in training."""

    status = 409


class OverTime(Problem):
    """The training took longer than TRAIN_TIMEOUT."""

    status = 504


class OverMemory(Problem):
    """The training needs more memory than serving can spare."""

    status = 507


class StoreUnwritable(Problem):
    """The disk is full or read-only."""

    status = 507

    def __init__(self, error: OSError | None = None) -> None:
        why = f" ({error.strerror})" if error else ""
        super().__init__(f"The model store can't be written{why}; free disk space or make it writable")


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn an OSError into StoreUnwritable, which tells the caller that the store can't be written."""
    try:
        yield
    except OSError as error:
        raise StoreUnwritable(error) from None


def fail(card: Card, error: Exception) -> None:
    """Mark a version as failed and delete its files. If the store can't be written, change only this card object."""
    error = StoreUnwritable(error) if isinstance(error, OSError) and error.errno in UNWRITABLE else error
    card.state, card.ended, card.error_status = "failed", datetime.now(UTC), getattr(error, "status", 500)
    card.error = error.detail if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
    try:
        retention.strip(card.model, card.version)
        store.write(card)
    except FileNotFoundError:  # its folder was deleted
        pass
    except OSError as problem:
        log.error("%s/%s failed: %s; its card can't be written: %s", card.model, card.version, card.error, problem)


def mark_if_dead(card: Card, code: int | None = None) -> Card:
    """Return the current card. If the training process has died, mark the version as failed first.

    A caller that waited for the process passes its exit code, which gives a better reason than another caller found.
    """
    if card.state == "ready" or (card.state == "failed" and code is None):
        return card
    with suppress(BlockingIOError), files.locked(card.model, process.LOCK, wait=False):
        card = store.read(card.model, card.version)
        if card.state == "training" or (code is not None and card.error == str(_reason(card, None))):
            fail(card, _reason(card, code))
    return card


def fail_dead(model: str) -> None:
    """Mark the versions of dead trainings as failed, and clear what they left. The caller holds the training lock."""
    for card in store.cards(model):
        if card.state == "training":
            fail(card, _reason(card, None))
    retention.clear(model)


def clear_at_start(model: str) -> None:
    """Do what `fail_dead` does when a server starts, unless a training runs or the store has errors."""
    if files.folder(model).is_dir():
        with suppress(OSError, Problem), files.locked(model, process.LOCK, wait=False):
            fail_dead(model)


def stop(model: str, version: int) -> bool:
    """Stop the training of a version, wherever it runs. Return False if the version was ready before.

    Raise Conflict if the training is still running after STOP_SECONDS.
    """
    process.stop(model, version)
    deadline = time.monotonic() + STOP_SECONDS
    while (card := mark_if_dead(store.read(model, version))).state == "training":
        if time.monotonic() > deadline:
            raise Conflict(f"Version {version} of {model} is stopping, and ends with its current step")
        time.sleep(POLL_SECONDS)
    stopped = card.state == "failed"
    log.info("%s/%s was %s", model, version, "stopped" if stopped else "ready before it could be stopped")
    return stopped


def _reason(card: Card, code: int | None) -> Problem:
    """Return why a training process ended, by its exit code, if known, and by the files that it left."""
    if (files.folder(card.model, card.version) / files.STOP).exists() or card.error_status == Stopped.status:
        return Stopped("The training was stopped because its version was deleted.")
    passed = (datetime.now(UTC) - card.created).total_seconds()
    if code == -signal.SIGALRM or (code is None and passed >= settings().train_timeout):
        return OverTime(
            f"The training took longer than {settings().train_timeout} s and was stopped in stage {card.stage}. "
            "Send fewer rows or raise TRAIN_TIMEOUT."
        )
    if code == -process.OUT_OF_MEMORY:
        return OverMemory(
            f"The training ran out of memory in stage {card.stage}. Send fewer rows or give the server more memory."
        )
    if code == os.EX_IOERR:
        return StoreUnwritable()
    return Died(f"The training process {_ending(code)} in stage {card.stage}. It may have run out of memory.")


def _ending(code: int | None) -> str:
    if code is None:
        return "ended unexpectedly"
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
