"""Trains a version and publishes it: `python -m ML.training MODEL TABLE.csv TARGET`, or `--bootstrap` for the samples."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ML import estimators, holdout, payload, predictor, schema, store, target
from ML.config.config import settings
from ML.errors import Conflict, Invalid, Problem
from ML.store import Card
from ML.table import Table, read

log = logging.getLogger("fast_ml.training")

FEWEST_ROWS = 10
MANY_CELLS = 500_000
SERVER_PRIORITY = 10


class CannotFit(Problem):
    """The estimator could not learn from a table that is in order otherwise."""

    status = 422


def train(card: Card) -> Card:
    """Trains the version that a card claims, from the table in its folder; the card of the published version.

    Whatever happens, the card says it: a failed one holds the message, and its folder nothing else.
    """
    path = store.folder(card.model, card.version) / store.UPLOAD
    try:
        _train(card, path.read_bytes())
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
    card.state, card.error_status = "failed", getattr(error, "status", 500)
    card.error = error.detail if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
    with suppress(FileNotFoundError):
        for file in store.folder(card.model, card.version).iterdir():
            file.unlink() if file.name != store.CARD else None
        store.write(card)


def _train(card: Card, data: bytes) -> None:
    estimator = estimators.load(card.model)
    card.fingerprint, card.libraries = estimators.fingerprint(data, card.target_variable), estimators.libraries()
    with _stage(card, "read"):
        model = estimator.build()
        X, y = _learn(card, read(data, settings().max_body_bytes), model)
    assert card.target
    with _stage(card, "hold out"):
        held = holdout.mask(X, y, settings().holdout, card.target.task == "classification")
        card.rows = {"train": int((~held).sum()), "holdout": int(held.sum())}
        card.notes += filter(None, [holdout.note(card.rows["holdout"])])
    labels = card.target.to_model(y)
    threads = (settings().training_threads or joblib.cpu_count()) if X.size >= MANY_CELLS else 1
    with _stage(card, "fit"), threadpool_limits(threads):
        _fit(model, X[~held], labels[~held])
    with _stage(card, "score"):
        card.metrics = _score(estimator, model, X[held], labels[held])
        card.train_metrics = _score(estimator, model, X[~held], labels[~held])
    with _stage(card, "save"):
        _save(card, model, X)


def _learn(card: Card, table: Table, model: Any) -> tuple[pd.DataFrame, Any]:
    """Puts what the table teaches on the card; the features and the target of its rows."""
    check_target(table, card.target_variable)
    columns = table.columns(settings().max_rows)
    labels = columns.pop(table.header.index(card.target_variable))
    if len(labels) < FEWEST_ROWS:
        raise Invalid.at("body", "csv_file", type="too_few_rows", msg=f"the table has {len(labels)} rows; {FEWEST_ROWS} or more are "
                         "needed, so that some can be held out to score the model")
    card.target = target.learn(card.target_variable, labels, estimators.task(model))
    names = [name for name in table.header if name != card.target_variable]
    card.features, X = schema.learn(names, columns)
    card.notes += [f"the column {name} is empty and was ignored" for name in card.features.ignored]
    card.notes += [f"{name} was ignored" for name in table.unnamed]
    return X, card.target.convert(labels)


def check_target(table: Table, name: str) -> None:
    """Raises Invalid where the table has no such column."""
    if name not in table.header:
        close = get_close_matches(name, table.header, 1)
        raise Invalid.at("body", "target_variable", type="missing_column", input=name, msg=f"there is no column {name}; "
                         f"{f'did you mean {close[0]}? ' if close else ''}The columns are {', '.join(table.header)}")


def _fit(model: Any, X: pd.DataFrame, y: Any) -> None:
    try:
        model.fit(X, y)
    except (ValueError, TypeError) as error:
        raise CannotFit(f"The estimator could not be fitted to this table: {error}") from error


def _score(estimator: estimators.Estimator, model: Any, X: pd.DataFrame, y: Any) -> dict[str, float]:
    return {name: float(value) for name, value in estimator.score(model, X, y).items()} if len(X) else {}


def _save(card: Card, model: Any, X: pd.DataFrame) -> None:
    """Saves the model, and proves that what was saved answers like what was scored."""
    assert card.target and card.features
    card.probabilities = hasattr(model, "predict_proba")
    if card.target.task == "classification" and hasattr(model, "classes_"):
        classes = tuple(card.target.from_model(np.asarray(model.classes_)))
        card.target = card.target.model_copy(update={"classes": classes})
    card.features = card.features.model_copy(update={"columns": _with_gaps(predictor.make(card, model), X)})
    fitted = predictor.make(card, model)
    card.checks = fitted.check_answers()
    folder = store.folder(card.model, card.version)
    card.file, card.sha256 = payload.save(model, folder)
    loaded = predictor.make(card, payload.load(folder / card.file, card.sha256))
    some = X.iloc[:1000]
    if not predictor.same(_both(loaded, some), _both(fitted, some)):
        raise CannotFit("The saved model does not answer like the fitted one; has the estimator state that can't be saved?")


def _both(loaded: predictor.Predictor, X: pd.DataFrame) -> list[Any]:
    answer = loaded.predict(X, loaded.card.probabilities)
    return [answer.predictions, answer.probabilities]


def _with_gaps(fitted: predictor.Predictor, X: pd.DataFrame) -> tuple[schema.Column, ...]:
    """The columns, each allowed to be missing where training saw that, or where the pipeline answers without it."""
    def answers(name: str) -> bool:
        row = X.iloc[:1].copy()
        row[name] = row[name].where(row[name].isna(), np.nan)
        try:
            fitted.predict(row)
        except Exception:  # whatever the pipeline raises, it can't do without this column
            return False
        return True

    return tuple(c if c.gaps else c.model_copy(update={"gaps": answers(c.name)}) for c in fitted.schema.columns)


@contextmanager
def _stage(card: Card, name: str) -> Iterator[None]:
    card.stage = name
    store.write(card)
    started = time.perf_counter()
    yield
    card.seconds[name] = round(time.perf_counter() - started, 3)


def run(model: str, data: bytes, target_variable: str, origin: Any) -> Card:
    """Trains one version now, in this process. Raises Conflict where another training of the model is under way."""
    estimators.check(model)
    try:
        with store.locked(model, "training", wait=False):
            sweep(model)
            card = store.claim(model, origin, target_variable)
            (store.folder(model, card.version) / store.UPLOAD).write_bytes(data)
            return train(card)
    except BlockingIOError:
        raise busy(model) from None


def busy(model: str) -> Conflict:
    """What to tell somebody whose training has to wait for another."""
    under_way = [n for n in store.versions(model) if store.read(model, n).state == "training"]
    return Conflict(f"Version {under_way[0] if under_way else '?'} of {model} is in training; try again when it has ended")


def sweep(model: str) -> None:
    """Marks trainings whose process is gone as failed. Call it with the training lock held."""
    for version in store.versions(model):
        card = store.read(model, version)
        if card.state == "training":
            fail(card, RuntimeError("its process ended before the training did"))


def bootstrap(model: str) -> None:
    """Trains a model from its sample where there is no version, or an older sample or estimator was trained.

    A version that came by upload or command is never replaced.
    """
    sample = estimators.load(model).sample
    if sample is None:
        return
    data, live = sample[0].read_bytes(), store.current(model)
    if live is not None:
        card = store.read(model, live)
        if card.origin != "sample" or card.fingerprint == estimators.fingerprint(data, sample[1]):
            return
    run(model, data, sample[1], "sample")


def _check_store() -> None:
    folder = settings().models_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        sys.exit(f"The model store {folder} can't be written by user {os.getuid()} ({error.strerror}). Make it writable for that user "
                 f"(chown {os.getuid()} on the host's folder), use a named volume, or set MODELS_DIR to another folder.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ML.training", description=__doc__)
    parser.add_argument("model", nargs="?", help="a module of ML/src")
    parser.add_argument("table", nargs="?", type=Path, help="a CSV file")
    parser.add_argument("target", nargs="?", help="the column to learn to predict")
    parser.add_argument("--bootstrap", action="store_true", help="train the samples of models that have no version yet")
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.basicConfig(level=settings().log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
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
            _check_store()
            for model in estimators.names() if settings().bootstrap else ():
                bootstrap(model)
    except (Problem, OSError) as error:
        sys.exit(f"Training failed. {error}")


if __name__ == "__main__":
    main()
