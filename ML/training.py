"""Trains a version and publishes it: `python -m ML.training MODEL TABLE.csv TARGET`; `--bootstrap` for the samples."""

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path

from ML import estimators, failure, process, store, turn
from ML.card import Card, Origin
from ML.config.config import settings
from ML.errors import Problem

log = logging.getLogger("fast_ml.training")


def train(card: Card) -> Card:
    """Trains the version that a card claims, from the table in its folder; the card of the published version.

    Whatever happens, the card says it: a failed one holds the message, and its folder nothing else.
    """
    from ML import fitting  # scikit-learn takes two seconds, which a start with nothing to train is spared

    upload = store.folder(card.model, card.version) / store.UPLOAD
    try:
        data = upload.read_bytes()
        upload.unlink()
        fitting.fit(card, data)
        live = store.publish(card)
    except Exception as error:
        if not isinstance(error, Problem):
            log.exception("training of %s/%s failed", card.model, card.version)
        failure.fail(card, error)
        raise
    log.info("%s/%s %s %s", card.model, card.version, "is live" if live else "is ready, not live", card.metrics)
    return card


def run(model: str, data: bytes, target_variable: str, origin: Origin, force: bool = False) -> Card:
    """Trains one version now, in this process. Raises Conflict where another training of the model is under way."""
    estimators.check(model)
    with turn.taken(model):
        return _run(model, data, target_variable, origin, force)


def _run(model: str, data: bytes, target_variable: str, origin: Origin, force: bool) -> Card:
    card = turn.claim(model, data, target_variable, origin, force)
    process.sign(model, card.version, os.getpid())
    return train(card)


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
    with store.locked(model, process.LOCK):
        failure.sweep(model)
        if not _is_current(model, *sample):
            _run(model, sample[0].read_bytes(), sample[1], "sample", force=True)


def _is_current(model: str, path: Path, target_variable: str) -> bool:
    try:
        if (live := store.current(model)) is None:
            return False
        card = store.read(model, live)
    except Problem as error:  # the other models, and a new training of this one, still work
        log.error("%s", error)
        return True
    if card.origin != "sample" and card.source != estimators.code():
        log.warning(
            "ML/src has changed since %s/%s, which came by %s and so stays; train it again", model, live, card.origin
        )
    return card.origin != "sample" or card.fingerprint == estimators.fingerprint(path.read_bytes(), target_variable)


def _check_store() -> None:
    folder = settings().models_dir
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


def _job(model: str, version: int) -> None:
    """Trains a version that a server claimed. Its card says how it went, or, where that can't be written, its code."""
    importlib.import_module("ML.fitting")  # before its time is measured, and before it steps back
    process.settle(model, version)
    try:
        train(store.read(model, version))
    except OSError:
        sys.exit(os.EX_IOERR)
    except Exception:  # noqa: BLE001 - it is logged, and on the card
        sys.exit(1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ML.training", description=__doc__)
    parser.add_argument("model", nargs="?", help="a module of ML/src")
    parser.add_argument("table", nargs="?", type=Path, help="a CSV file")
    parser.add_argument("target", nargs="?", help="the column to learn to predict")
    parser.add_argument("--bootstrap", action="store_true", help="train the samples of models that have no version yet")
    parser.add_argument("--seal", action="store_true", help="accept the cards of versions that have no checksum")
    parser.add_argument("--force", action="store_true", help="make it live even where it scores worse than before")
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.basicConfig(
        level=settings().log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    if given.job:
        _job(given.model, given.job)
        return
    if given.seal:
        for model in estimators.names():
            log.info("%s: sealed versions: %s", model, store.seal_unsealed(model) or "none")
        return
    if not given.bootstrap and not given.target:
        parser.error("name a model, a table and a target, or --bootstrap")
    try:
        if not given.bootstrap:
            run(given.model, given.table.read_bytes(), given.target, "command", given.force)
        elif settings().training:
            for model in estimators.names():
                failure.tidy(model)
                bootstrap(model) if settings().bootstrap else None
    except (Problem, OSError) as error:
        sys.exit(f"Training failed. {error}")


if __name__ == "__main__":
    main()
