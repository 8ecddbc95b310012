"""A training in a process of its own, so that no request waits behind it."""

import asyncio
import logging
import sys
from contextlib import ExitStack

from ML import estimators, fitting, store, training
from ML.card import Card
from ML.config.config import ROOT
from ML.errors import Problem
from rest_api import metrics

log = logging.getLogger("fast_ml.jobs")


class TrainingFailed(Problem):
    """A training that ended without a version; status and detail are those of its card."""

    def __init__(self, card: Card) -> None:
        super().__init__(str(card.error))
        self.status, self.error = card.error_status or 500, card.error

    @property
    def detail(self) -> object:
        """What the training process wrote on the card."""
        return self.error


class StoreUnwritable(Problem):
    """The disk is full or read-only."""

    status = 507


async def train(model: str, data: bytes, target: str) -> Card:
    """Trains a version from a CSV file; its card once it is published.

    Raises NotFound, Invalid, TooLarge, Conflict while another training of the model runs, and TrainingFailed.
    """
    estimators.check(model)
    await asyncio.to_thread(fitting.check, model, data, target)
    try:
        card, process = await _start(model, data, target)
    except BlockingIOError:
        raise training.busy(model) from None
    except OSError as error:
        raise StoreUnwritable(
            f"The model store can't be written ({error.strerror}); make room or make it writable"
        ) from None
    code = await process.wait()
    return _outcome(model, card.version, code)


async def _start(model: str, data: bytes, target: str) -> tuple[Card, asyncio.subprocess.Process]:
    """Starts the process. It inherits the training lock, so that is held until it ends, whatever becomes of us."""
    with ExitStack() as stack:
        lock = stack.enter_context(store.locked(model, "training", wait=False))
        training.sweep(model)
        card = store.claim(model, "upload", target)
        command = [sys.executable, "-m", "ML.training", model, "--job", str(card.version)]
        try:
            await asyncio.to_thread((store.folder(model, card.version) / store.UPLOAD).write_bytes, data)
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, pass_fds=[lock])
        except OSError as error:
            training.fail(card, error)
            raise
    return card, process


def _outcome(model: str, version: int, code: int) -> Card:
    card = store.read(model, version)
    if card.state == "training":
        reason = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        training.fail(card, RuntimeError(f"the training process {reason}; was there enough memory?"))
    metrics.trained(model, card.state)
    if card.state == "failed":
        raise TrainingFailed(card)
    return card
