"""Trains a version and publishes it: `python -m ML.training MODEL TABLE.csv TARGET`; `--bootstrap` for the samples."""

import argparse
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from ML import estimators, fitting, store
from ML.card import Card, Origin
from ML.config.config import settings
from ML.errors import Conflict, Problem

log = logging.getLogger("fast_ml.training")

SERVER_PRIORITY = 10


def train(card: Card) -> Card:
    """Trains the version that a card claims, from the table in its folder; the card of the published version.

    Whatever happens, the card says it: a failed one holds the message, and its folder nothing else.
    """
    path = store.folder(card.model, card.version) / store.UPLOAD
    try:
        fitting.fit(card, path.read_bytes())
        live = store.publish(card)
    except Exception as error:
        if not isinstance(error, Problem):
            log.exception("training of %s/%s failed", card.model, card.version)
        fail(card, error)
        raise
    finally:
        path.unlink(missing_ok=True)
    log.info("%s/%s %s %s", card.model, card.version, "is live" if live else "is ready, not live", card.metrics)
    return card


def fail(card: Card, error: Exception) -> None:
    """Marks a training as failed. Its card stays, its files go."""
    card.state, card.error_status = "failed", getattr(error, "status", 507 if isinstance(error, OSError) else 500)
    card.error = error.detail if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
    with suppress(FileNotFoundError):
        for file in store.folder(card.model, card.version).iterdir():
            file.unlink() if file.name != store.CARD else None
        store.write(card)


def run(model: str, data: bytes, target_variable: str, origin: Origin) -> Card:
    """Trains one version now, in this process. Raises Conflict where another training of the model is under way."""
    estimators.check(model)
    try:
        with store.locked(model, "training", wait=False):
            return _run(model, data, target_variable, origin)
    except BlockingIOError:
        raise busy(model) from None


def _run(model: str, data: bytes, target_variable: str, origin: Origin) -> Card:
    sweep(model)
    card = store.claim(model, origin, target_variable)
    (store.folder(model, card.version) / store.UPLOAD).write_bytes(data)
    return train(card)


def busy(model: str) -> Conflict:
    """What to tell somebody whose training has to wait for another."""
    under_way = [card.version for card in store.cards(model) if card.state == "training"]
    return Conflict(
        f"Version {under_way[0] if under_way else '?'} of {model} is in training; try again when it has ended"
    )


def sweep(model: str) -> None:
    """Marks trainings whose process is gone as failed. Call it with the training lock held."""
    for card in store.cards(model):
        if card.state == "training":
            fail(card, RuntimeError("its process ended before the training did"))


def tidy(model: str) -> None:
    """Marks trainings whose process is gone, unless one is under way. Touches nothing where none is marked as such."""
    if any(card.state == "training" for card in store.cards(model)):
        with suppress(BlockingIOError), store.locked(model, "training", wait=False):
            sweep(model)


def bootstrap(model: str) -> None:
    """Trains a model from its sample where there is no version, or an older sample or estimator was trained.

    A version that came by upload or command is never replaced. With nothing to do, the store may be read-only.
    """
    tidy(model)
    sample = estimators.load(model).sample
    if sample is None or _is_current(model, *sample):
        return
    _check_store()
    # Another server that starts on the same store may be at it.
    with store.locked(model, "training"):
        if not _is_current(model, *sample):
            _run(model, sample[0].read_bytes(), sample[1], "sample")


def _is_current(model: str, path: Path, target_variable: str) -> bool:
    live = store.current(model)
    if live is None:
        return False
    try:
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


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ML.training", description=__doc__)
    parser.add_argument("model", nargs="?", help="a module of ML/src")
    parser.add_argument("table", nargs="?", type=Path, help="a CSV file")
    parser.add_argument("target", nargs="?", help="the column to learn to predict")
    parser.add_argument("--bootstrap", action="store_true", help="train the samples of models that have no version yet")
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.basicConfig(
        level=settings().log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    if given.job:
        os.nice(SERVER_PRIORITY)
        with suppress(Exception):
            train(store.read(given.model, given.job))
        return
    if not given.bootstrap and not given.target:
        parser.error("name a model, a table and a target, or --bootstrap")
    try:
        if not given.bootstrap:
            run(given.model, given.table.read_bytes(), given.target, "command")
        else:
            for model in estimators.names() if settings().bootstrap else ():
                bootstrap(model)
    except (Problem, OSError) as error:
        sys.exit(f"Training failed. {error}")


if __name__ == "__main__":
    main()
