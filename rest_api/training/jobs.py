"""A training in a process of its own, so that no request waits behind it, nor it for a request."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ML.config.config import ROOT, settings
from ML.errors import Problem
from ML.prediction import loading
from ML.training import failures, memory, process
from ML.training.lock import claim, training_lock
from ML.training.stages import read
from ML.versions import catalog, provenance, publishing, store
from ML.versions.card import Card
from rest_api.http import work
from rest_api.telemetry import counts

POLL = 0.02
"""Seconds between two looks whether a training has ended."""

BYTES_PER_SECOND, SOON = 4e9, 0.005
"""Bytes a second that a training takes at most, which tells when to look again how many are left; the least wait."""

_watched: set[asyncio.Task[Card]] = set()


class TrainingFailed(Problem):
    """A training that ended without a version; status and detail are those of its card."""

    def __init__(self, card: Card) -> None:
        super().__init__(str(card.error))
        self.status, self.error = card.error_status or 500, card.error

    @property
    def detail(self) -> object:
        """What the training process wrote on the card."""
        return self.error


class OnlyServes(Problem):
    """This server does not train."""

    status = 403


class Job(NamedTuple):
    """A version and the task that ends with its training; none where it was ready already."""

    card: Card
    ended: asyncio.Task[Card] | None

    async def outcome(self, seconds: float | None) -> Card:
        """The card, after so many seconds at most, or when the training has ended. Raises TrainingFailed."""
        if self.ended is None:
            return self.card
        # The task goes on, whatever becomes of the request that waits.
        await asyncio.wait([self.ended], timeout=seconds)
        card = self.ended.result() if self.ended.done() else store.read(self.card.model, self.card.version)
        if card.state == "failed":
            raise TrainingFailed(card)
        return card


def check_training_allowed() -> None:
    """Raises OnlyServes where the setting says so."""
    if not settings().training:
        raise OnlyServes("This server only serves (TRAINING=off); send the training to one that trains")


@contextmanager
def store_errors() -> Iterator[None]:
    """Says in words that the store can't be written."""
    try:
        yield
    except OSError as error:
        raise failures.StoreUnwritable(error) from None


async def begin(model: str, data: bytes, target: str, force: bool) -> Job:
    """Starts to train a version from a CSV file, or finds the one that was trained from the same.

    Raises NotFound, Invalid, TooLarge, Conflict while another training of the model runs, and StoreUnwritable.
    """
    catalog.check(model)
    await work.run(max(work.size_of(data), work.INLINE_BYTES + 1), read.check, model, data, target)
    found = None if force else await asyncio.to_thread(_find_same_upload, model, data, target)
    if found:
        return Job(found, None)
    card, run = await asyncio.to_thread(_start, model, data, target, force)
    ended = asyncio.create_task(_watch(card, run))
    _watched.add(ended)
    ended.add_done_callback(_watched.discard)
    return Job(card, ended)


def _find_same_upload(model: str, data: bytes, target: str) -> Card | None:
    """The newest version that was trained from the same, made live unless it was held back.

    A sample's does not count: it gives way to the next sample, and what somebody uploads stays.
    """
    fingerprint, live = provenance.fingerprint(data, target), store.current(model)
    same = [
        card
        for card in store.cards(model)
        if (card.state, card.fingerprint) == ("ready", fingerprint)
        and card.origin != "sample"
        and card.holdout in (None, settings().holdout)
    ]
    for card in sorted(same, key=lambda card: card.version != live):
        try:
            loading.load(model, card.version)
            if card.version != live and not card.held_back:
                with store_errors():
                    publishing.promote(model, card.version)
        except Problem:  # its card or file was changed, say: it is trained anew
            continue
        return card
    return None


def _start(model: str, data: bytes, target: str, force: bool) -> tuple[Card, subprocess.Popen[bytes]]:
    """Starts the process. It inherits the training lock, so that is held until it ends, whatever becomes of us."""
    with store_errors(), training_lock(model) as lock:
        card = claim(model, data, target, "upload", force)
        command = [sys.executable, "-m", "ML.training", model, "--job", str(card.version)]
        try:
            # Not asyncio's: that kills its processes when the loop ends.
            run = subprocess.Popen(command, cwd=ROOT, pass_fds=[lock])
        except OSError as error:
            failures.fail(card, error)
            raise
        process.lower_priority(run.pid)
        process.record(model, card.version, run.pid)
    return card, run


def _finished(card: Card, code: int) -> Card:
    return failures.mark_if_dead(store.read(card.model, card.version), code)


async def _watch(card: Card, run: subprocess.Popen[bytes]) -> Card:
    """The card when the process has ended, or had to: where memory runs out, all that is served stands still."""
    look = 0.0
    while (code := run.poll()) is None:
        if (now := time.monotonic()) >= look:
            if (spare := memory.bytes_left()) < 0:
                run.send_signal(process.OUT_OF_MEMORY)
            look = now + max(spare / BYTES_PER_SECOND, SOON)
        await asyncio.sleep(min(POLL, look - now))
    # Somebody else who looks whether it lives may have its lock at this moment.
    while (ended := await asyncio.to_thread(_finished, card, code)).state == "training":  # noqa: ASYNC110
        await asyncio.sleep(POLL)
    counts.trained(ended.model, ended.state)
    return ended
