"""Trains a version and publishes it."""

import logging
import os

from ML.errors import Problem
from ML.training import estimators, failures, process
from ML.training.lock import claim, training_lock
from ML.versions import store
from ML.versions.card import Card, Origin

log = logging.getLogger("fast_ml.training")


def train(card: Card) -> Card:
    """Trains the version that a card claims, from the table in its folder; the card of the published version.

    Whatever happens, the card says it: a failed one holds the message, and its folder nothing else.
    """
    from ML.training import fitting  # scikit-learn takes two seconds, which a start with nothing to train is spared

    upload = store.folder(card.model, card.version) / store.UPLOAD
    try:
        data = upload.read_bytes()
        upload.unlink()
        fitting.fit(card, data)
        live = store.publish(card)
    except Exception as error:
        if not isinstance(error, Problem):
            log.exception("training of %s/%s failed", card.model, card.version)
        failures.fail(card, error)
        raise
    log.info("%s/%s %s %s", card.model, card.version, "is live" if live else "is ready, not live", card.metrics)
    return card


def run(model: str, data: bytes, target_variable: str, origin: Origin, force: bool = False) -> Card:
    """Trains one version now, in this process. Raises Conflict where another training of the model is under way."""
    estimators.check(model)
    with training_lock(model):
        return run_locked(model, data, target_variable, origin, force)


def run_locked(model: str, data: bytes, target_variable: str, origin: Origin, force: bool) -> Card:
    """Train one version now. The caller holds the model's training lock."""
    card = claim(model, data, target_variable, origin, force)
    process.record(model, card.version, os.getpid())
    return train(card)
