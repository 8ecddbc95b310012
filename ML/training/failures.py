"""How a training that came to nothing is told: its card stays, with the reason; its files go."""

import errno
import logging
import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime

from ML.config.config import settings
from ML.errors import Conflict, Problem
from ML.training import process
from ML.versions import files, retention, store
from ML.versions.card import Card

log = logging.getLogger("fast_ml.training")

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO}
PATIENCE = 10.0
"""Seconds that a training may take to stop."""


class Died(Problem):
    """Its process ended before the training did."""

    status = 500


class Stopped(Problem):
    """Somebody deleted the version while it was in training."""

    status = 409


class OverTime(Problem):
    """It took longer than the setting allows."""

    status = 504


class OverMemory(Problem):
    """It needs more memory than serving can spare."""

    status = 507


class StoreUnwritable(Problem):
    """The disk is full or read-only."""

    status = 507

    def __init__(self, error: OSError | None = None) -> None:
        why = f" ({error.strerror})" if error else ""
        super().__init__(f"The model store can't be written{why}; make room or make it writable")


def fail(card: Card, error: Exception) -> None:
    """Marks a training as failed. Where the store can't be written, only the card in hand says so."""
    error = StoreUnwritable(error) if isinstance(error, OSError) and error.errno in UNWRITABLE else error
    card.state, card.ended, card.error_status = "failed", datetime.now(UTC), getattr(error, "status", 500)
    card.error = error.detail if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
    try:
        retention.strip(card.model, card.version)
        store.write(card)
    except FileNotFoundError:  # somebody deleted the folder
        pass
    except OSError as problem:
        log.error("%s/%s failed: %s; its card can't be written: %s", card.model, card.version, card.error, problem)


def mark_if_dead(card: Card, code: int | None = None) -> Card:
    """The card as it is to be told: a training whose process is gone is marked as failed, whoever finds that first.

    Whoever waited for the process knows its exit code, and so the reason better than others.
    """
    if card.state == "ready" or (card.state == "failed" and code is None):
        return card
    with suppress(BlockingIOError), files.locked(card.model, process.LOCK, wait=False):
        card = store.read(card.model, card.version)
        if card.state == "training" or (code is not None and card.error == str(_reason(card, None))):
            fail(card, _reason(card, code))
    return card


def fail_dead(model: str) -> None:
    """Clears what dead trainings left. Call it with the training lock held: then none is under way."""
    for card in store.cards(model):
        if card.state == "training":
            fail(card, _reason(card, None))
    retention.clear(model)


def clear_at_start(model: str) -> None:
    """The same at a server's start, unless a training is under way. What is broken stays as it is."""
    if files.folder(model).is_dir():
        with suppress(OSError, Problem), files.locked(model, process.LOCK, wait=False):
            fail_dead(model)


def stop(model: str, version: int) -> bool:
    """Whether the training of a version could be stopped, wherever it runs, before it was ready.

    Raises Conflict where it doesn't end.
    """
    process.stop(model, version)
    deadline = time.monotonic() + PATIENCE
    while (card := mark_if_dead(store.read(model, version))).state == "training":
        if time.monotonic() > deadline:
            raise Conflict(f"Version {version} of {model} was told to stop, and will when its current step ends")
        time.sleep(0.02)
    log.info(
        "%s/%s was %s", model, version, "stopped" if card.state == "failed" else "ready before it could be stopped"
    )
    return card.state == "failed"


def _reason(card: Card, code: int | None) -> Problem:
    """Why a process is gone, as far as can be told from its exit code and from what it left."""
    if (files.folder(card.model, card.version) / files.STOP).exists() or card.error_status == Stopped.status:
        return Stopped("the training was stopped: somebody deleted its version")
    passed = (datetime.now(UTC) - card.created).total_seconds()
    if code == -signal.SIGALRM or (code is None and passed >= settings().train_timeout):
        return OverTime(
            f"the training took longer than {settings().train_timeout} s, and was ended in the stage {card.stage}; "
            "send fewer rows or raise TRAIN_TIMEOUT"
        )
    if code == -process.SHORT:
        return OverMemory(
            f"the memory does not suffice for the training, which was ended in the stage {card.stage}; "
            "send fewer rows or give the server more memory"
        )
    if code == os.EX_IOERR:
        return StoreUnwritable()
    how = "ended before the training did"
    if code is not None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return Died(f"its process {how}, in the stage {card.stage}; was there enough memory?")
