"""Trains models from their samples when a server starts."""

import logging
import os
import sys
from pathlib import Path

from ML.config.config import settings
from ML.errors import Problem
from ML.training import estimators, failures, process
from ML.training.run import run_locked
from ML.versions import files, provenance, store

log = logging.getLogger("fast_ml.training")


def bootstrap(model: str) -> None:
    """Trains a model from its sample where there is no version, or an older sample or estimator was trained.

    A version that came by upload or command is never replaced. With nothing to do, the store may be read-only.
    What somebody wrote into ML/src goes live, however it scores.
    """
    sample = estimators.load(model).sample
    if sample is None or _is_current(model, *sample):
        return
    _check_store()
    # Another server that starts on the same store may be at it.
    with files.locked(model, process.LOCK):
        failures.fail_dead(model)
        if not _is_current(model, *sample):
            run_locked(model, sample[0].read_bytes(), sample[1], "sample", force=True)


def _is_current(model: str, path: Path, target_variable: str) -> bool:
    try:
        if (live := store.current(model)) is None:
            return False
        card = store.read(model, live)
    except Problem as error:  # the other models, and a new training of this one, still work
        log.error("%s", error)
        return True
    if card.origin != "sample" and card.source != provenance.code():
        log.warning(
            "ML/src has changed since %s/%s, which came by %s and so stays; train it again", model, live, card.origin
        )
    if card.origin != "sample":
        return True
    same = card.fingerprint == provenance.fingerprint(path.read_bytes(), target_variable)
    changed = "none of its sample, ML/src and libraries has" if same else "its sample, ML/src or a library has"
    log.debug("%s/%s: %s changed since it was trained", model, live, changed)
    return same


def _check_store() -> None:
    folder = settings().models_dir
    if folder.exists() and not folder.is_dir():
        sys.exit(
            f"The model store {folder} can't be written by user {os.getuid()}: it is not a folder. Set MODELS_DIR."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        sys.exit(
            f"The model store {folder} can't be written by user {os.getuid()} ({error.strerror}). Make it writable for "
            f"that user (chown {os.getuid()} on the host's folder), use a named volume, or set MODELS_DIR."
        )
