"""Trainings as jobs: each runs in a process of its own, so that it neither delays requests nor waits for them."""

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
from ML.training import failures, fork_server, memory, process
from ML.training.lock import claim, training_lock
from ML.training.stages import read
from ML.versions import catalog, provenance, publishing, store
from ML.versions.card import Card
from rest_api.http import work
from rest_api.telemetry import counts

POLL_SECONDS = 0.02
"""How often to check whether a training has ended."""

BYTES_PER_SECOND = 4e9
"""The fastest that a training can allocate memory. It determines when to check again how much is left."""

MIN_CHECK_SECONDS = 0.005
"""Minimum time between two checks of the memory."""

_watching: set[asyncio.Task[Card]] = set()
"""The tasks that watch trainings. The event loop keeps only weak references, so they could be collected otherwise.

It belongs to the module, not to the app: a task is added by `begin`, removes itself, and nothing else reads the set.
"""


Process = fork_server.Training | subprocess.Popen[bytes]


class TrainingFailed(Problem):
    """A training that failed. Its status and detail are those on its card."""

    def __init__(self, card: Card) -> None:
        super().__init__(str(card.error))
        self.status, self.error = card.error_status or 500, card.error

    @property
    def detail(self) -> object:
        """The error that the training process wrote on the card."""
        return self.error


class OnlyServes(Problem):
    """The setting TRAINING=off: this server does not train."""

    status = 403


class Job(NamedTuple):
    """A version, and the task that ends with its training; None if the version was trained before."""

    card: Card
    ended: asyncio.Task[Card] | None

    async def outcome(self, seconds: float | None) -> Card:
        """Return the card when the training has ended, or after `seconds` if given. Raise TrainingFailed."""
        if self.ended is None:
            return self.card
        # Unlike wait_for, this leaves the task running when the request times out or is cancelled.
        await asyncio.wait([self.ended], timeout=seconds)
        card = self.ended.result() if self.ended.done() else store.read(self.card.model, self.card.version)
        if card.state == "failed":
            raise TrainingFailed(card)
        return card


def check_training_allowed() -> None:
    """Raise OnlyServes if TRAINING is off."""
    if not settings().training:
        raise OnlyServes("This server only serves (TRAINING=off); send the training to one that trains")


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn an OSError into StoreUnwritable, which tells the caller that the store can't be written."""
    try:
        yield
    except OSError as error:
        raise failures.StoreUnwritable(error) from None


async def begin(model: str, data: bytes, target: str, force: bool) -> Job:
    """Start to train a version from a CSV file, or reuse one that was trained from the same file unless `force`.

    Raise NotFound, Invalid, TooLarge, StoreUnwritable, and Conflict while another training of the model runs.
    """
    catalog.check(model)
    await work.run(max(work.size_of(data), work.INLINE_BYTES + 1), read.check, model, data, target)
    if not force and (reused := await asyncio.to_thread(_reuse, model, data, target)):
        return Job(reused, None)
    card, run = await asyncio.to_thread(_start, model, data, target, force)
    ended = asyncio.create_task(_watch(card, run))
    _watching.add(ended)
    ended.add_done_callback(_watching.discard)
    return Job(card, ended)


def _reuse(model: str, data: bytes, target: str) -> Card | None:
    """Return the first loadable version that was trained from the same upload, and make it live unless held back."""
    for card, live in _find_same_uploads(model, data, target):
        try:
            loading.load(model, card.version)
            if not live and not card.held_back:
                with store_errors():
                    publishing.promote(model, card.version)
        except Problem:  # for example, its files were changed: try the next one, or train again
            continue
        return card
    return None


def _find_same_uploads(model: str, data: bytes, target: str) -> list[tuple[Card, bool]]:
    """Return the versions trained from the same table, target and code, and whether each is live: that one first.

    Versions of a sample don't count, because the next sample replaces them, while an uploaded version stays.
    """
    fingerprint, current = provenance.fingerprint(data, target), store.current(model)
    same = [
        (card, card.version == current)
        for card in store.cards(model)
        if (card.state, card.fingerprint) == ("ready", fingerprint)
        and card.origin != "sample"
        and card.holdout in (None, settings().holdout)
    ]
    return sorted(same, key=lambda upload: not upload[1])


def _start(model: str, data: bytes, target: str, force: bool) -> tuple[Card, Process]:
    """Start the training process. It inherits the training lock, and so holds it even if this worker dies."""
    with store_errors(), training_lock(model) as lock:
        card = claim(model, data, target, "upload", force)
        try:
            run = fork_server.start(model, card.version, lock) or _new_python(model, card.version, lock)
        except OSError as error:
            failures.fail(card, error)
            raise
        process.record(model, card.version, run.pid)
    return card, run


def _new_python(model: str, version: int, lock: int) -> Process:
    """Start the training process without a fork server, which takes two seconds longer."""
    command = [sys.executable, "-m", "ML.training", model, "--job", str(version)]
    # Not an asyncio subprocess, because asyncio kills those when the event loop closes.
    run = subprocess.Popen(command, cwd=ROOT, pass_fds=[lock])
    process.lower_priority(run.pid)
    return run


async def _watch(card: Card, run: Process) -> Card:
    """Return the card after the process has ended. Stop the process if memory runs low, which would stall serving."""
    check_at = 0.0
    while (code := run.poll()) is None:
        if (now := time.monotonic()) >= check_at:
            if (bytes_left := memory.bytes_left()) < 0:
                run.send_signal(process.OUT_OF_MEMORY)
            check_at = now + max(bytes_left / BYTES_PER_SECOND, MIN_CHECK_SECONDS)
        await asyncio.sleep(min(POLL_SECONDS, check_at - now))
    # Another worker that checks whether the training is alive may hold its lock at this moment.
    while (ended := await asyncio.to_thread(_ended_card, card, code)).state == "training":  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    counts.trained(ended.model, ended.state)
    return ended


def _ended_card(card: Card, exit_code: int) -> Card:
    return failures.mark_if_dead(store.read(card.model, card.version), exit_code)
