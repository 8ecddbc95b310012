"""Trains a version and publishes it."""

import importlib
import logging
import os

from ML.errors import Problem
from ML.training import failures, process
from ML.training.lock import claim, training_lock
from ML.versions import catalog, files, publishing, store
from ML.versions.card import Card, Origin

log = logging.getLogger("fast_ml.training")


def train(card: Card) -> Card:
    """Train a claimed version from the table in its folder, and return the card of the published version.

    If it fails, the card in the store has the reason, the folder's other files are deleted, and the error is raised.
    """
    from ML.training.stages import job, sequence  # scikit-learn takes two seconds to import; most starts train nothing

    try:
        for step in sequence.run(job.start(card, _take_upload(card))):
            card = step.card
        live = publishing.publish(card)
    except Exception as error:
        if not isinstance(error, Problem):
            log.exception("training of %s/%s failed", card.model, card.version)
        failures.fail(card, error)
        raise
    log.info("%s/%s %s %s", card.model, card.version, "is live" if live else "is ready, not live", card.metrics)
    return card


def _take_upload(card: Card) -> bytes:
    """Return the uploaded table, and delete its file."""
    upload = files.folder(card.model, card.version) / files.UPLOAD
    data = upload.read_bytes()
    upload.unlink()
    return data


def run_claimed(model: str, version: int) -> int:
    """Train a version that a server claimed, in a process of its own. Return the exit code: 0, or what went wrong.

    The result is on the version's card, or in the exit code if the store is full.
    """
    importlib.import_module("ML.training.stages.sequence")  # may take seconds, which do not count for TRAIN_TIMEOUT
    process.obey_limits(model, version)
    try:
        train(store.read(model, version))
    except OSError:
        return os.EX_IOERR
    except Exception:  # noqa: BLE001 - the error is logged, and on the card
        return 1
    return 0


def run(model: str, data: bytes, target_variable: str, origin: Origin, force: bool = False) -> Card:
    """Train one version now, in this process. Raise NotFound, and Conflict if the model is already in training."""
    catalog.check(model)
    with training_lock(model):
        return run_locked(model, data, target_variable, origin, force)


def run_locked(model: str, data: bytes, target_variable: str, origin: Origin, force: bool) -> Card:
    """Train one version now. The caller holds the model's training lock."""
    card = claim(model, data, target_variable, origin, force)
    process.record(model, card.version, os.getpid())
    return train(card)
