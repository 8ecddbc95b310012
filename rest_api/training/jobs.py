"""Trainings as jobs: each runs in a process of its own, so that it neither delays requests nor waits for them."""

import asyncio
from typing import NamedTuple

from ML.config.config import settings
from ML.errors import Invalid, Problem
from ML.training import failures, process, starting
from ML.training.lock import claim, training_lock
from ML.training.stages import read
from ML.versions import catalog, store
from ML.versions.card import Card
from rest_api.http import work
from rest_api.http.forms.places import in_form
from rest_api.training import same_upload, views, watching


class TrainingFailed(Problem):
    """A training that failed. Its status and detail are those on its card."""

    def __init__(self, card: Card) -> None:
        super().__init__(str(card.error))
        self.status, self.error = card.error_status or 500, views.reason(card)

    @property
    def detail(self) -> object:
        """The error that the training process wrote on the card, with places in the form."""
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


async def begin(model: str, data: bytes, target: str, force: bool) -> Job:
    """Start to train a version from a CSV file, or reuse one that was trained from the same file unless `force`.

    Raise NotFound, Invalid, TooLarge, StoreUnwritable, and Conflict while another training of the model runs.
    """
    catalog.check(model)
    try:
        await work.run(max(work.size_of(data), work.INLINE_BYTES + 1), read.check, model, data, target)
    except Invalid as error:
        raise in_form(error, target) from None
    if not force and (reused := await asyncio.to_thread(same_upload.reuse, model, data, target)):
        return Job(reused, None)
    card, run = await asyncio.to_thread(_start, model, data, target, force)
    return Job(card, watching.start(card, run))


def _start(model: str, data: bytes, target: str, force: bool) -> tuple[Card, starting.Process]:
    """Start the training process. It inherits the training lock, and so holds it even if this worker dies."""
    with failures.store_errors(), training_lock(model) as lock:
        card = claim(model, data, target, "upload", force)
        try:
            run = starting.start(model, card.version, lock)
        except OSError as error:
            failures.fail(card, error)
            raise
        process.record(model, card.version, run.pid)
    return card, run
