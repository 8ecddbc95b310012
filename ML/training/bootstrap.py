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
    """Train a model from its sample if it has no version, or if its sample or code has changed since.

    The new version goes live whatever its score. A version from an upload or the command line is never replaced.
    If there is nothing to train, the store may be read-only.
    """
    sample = estimators.load(model).sample
    if sample is None or _is_current(model, *sample):
        return
    _check_store()
    # Another server that starts on the same store may train it at this moment.
    with files.locked(model, process.LOCK):
        failures.fail_dead(model)
        if not _is_current(model, *sample):
            run_locked(model, sample[0].read_bytes(), sample[1], "sample", force=True)


def _is_current(model: str, path: Path, target_variable: str) -> bool:
    """Return whether the live version needs no training from the sample, with a log line if it can't be read."""
    try:
        if (live := store.current(model)) is None:
            return False
        card = store.read(model, live)
    except Problem as error:  # other models still work, and so does a new training of this one
        log.error("%s", error)
        return True
    if card.origin != "sample" and card.source != provenance.code():
        log.warning(
            "ML/src has changed since %s/%s was trained (%s); it stays live until it is trained again",
            model,
            live,
            card.origin,
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
