"""From a table to a fitted, scored and saved version, step by step, each timed on its card."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ML.config.config import settings
from ML.errors import Invalid, Problem
from ML.prediction import arrays, predictor
from ML.prediction.answers import CannotPredict, same
from ML.schema import schema, schema_learning, target, target_learning
from ML.tables.csv_table import Table
from ML.tables.reading import read
from ML.training import estimators
from ML.training.stages import gate, holdout
from ML.versions import model_file, store
from ML.versions.card import Card, Compiled

FEWEST_ROWS = 10
ALONE = 20


class CannotFit(Problem):
    """The estimator could not learn from a table that is in order otherwise."""

    status = 422


def fit(card: Card, data: bytes) -> None:
    """Puts a model into the folder of the version that a card claims. Raises Problem for all that a caller can mend."""
    estimator = estimators.load(card.model)
    card.fingerprint, card.source = estimators.fingerprint(data, card.target_variable), estimators.code()
    card.libraries = estimators.libraries()
    with _stage(card, "read"):
        model = estimator.build()
        X, y = _learn(card, read(data, settings().max_body_bytes), model)
    assert card.target
    with _stage(card, "holdout"):
        classify, card.holdout = card.target.task == "classification", settings().holdout
        chosen = holdout.in_share(X, card.holdout)
        held = holdout.keep_every_class(chosen, y, classify)
        card.kept = sorted(set(y[chosen & ~held].tolist())) if classify else []
        card.rows = {"train": int((~held).sum()), "holdout": int(held.sum())}
        card.notes += filter(None, [holdout.note(card.rows["holdout"])])
    labels = card.target.to_model(y)
    with threadpool_limits(settings().training_threads):
        with _stage(card, "fit"):
            _fit(model, X[~held], labels[~held])
        with _stage(card, "score"):
            card.metrics = _score(estimator, model, X[held], labels[held])
            card.train_metrics = _score(estimator, model, X[~held], labels[~held])
        with _stage(card, "compare"):
            gate.compare(card, estimator, model, X[held], y[held])
        with _stage(card, "save"):
            saved = _save(card, model, X)
        with _stage(card, "compile"):
            card.compiled = _compiled(card, saved, X)


def check(model: str, data: bytes, target_variable: str) -> None:
    """Refuses at once what can be told from the table and its target. Raises Invalid and TooLarge."""
    table, estimator = read(data, settings().max_body_bytes), estimators.load(model).build()
    target.check_target(table, target_variable)
    _target(table.column(target_variable, settings().max_rows), target_variable, estimator)


def _target(labels: Sequence[str], name: str, model: Any) -> target.Target:
    """What is to be predicted, learned from its cells."""
    if len(labels) < FEWEST_ROWS:
        message = f"the table has {len(labels)} rows; {FEWEST_ROWS} or more are needed, so that some can be held out"
        raise Invalid.at("body", "csv_file", type="too_few_rows", msg=message)
    return target_learning.learn(name, labels, estimators.task(model))


def _learn(card: Card, table: Table, model: Any) -> tuple[pd.DataFrame, Any]:
    """Puts what the table teaches on the card; the features and the target of its rows."""
    target.check_target(table, card.target_variable)
    columns = table.columns(settings().max_rows)
    labels = columns.pop(table.header.index(card.target_variable))
    card.target = _target(labels, card.target_variable, model)
    names = [name for name in table.header if name != card.target_variable]
    card.features, X = schema_learning.learn(names, columns)
    card.notes += [f"the column {name} is empty and was ignored" for name in card.features.ignored]
    card.notes += [f"{name} was ignored" for name in table.unnamed]
    return X, card.target.convert(labels)


def _fit(model: Any, X: pd.DataFrame, y: Any) -> None:
    try:
        model.fit(X, y)
    except (ValueError, TypeError) as error:
        raise CannotFit(f"The estimator could not be fitted to this table: {error}") from error


def _score(estimator: estimators.Estimator, model: Any, X: pd.DataFrame, y: Any) -> dict[str, float | None]:
    """The scores that are numbers: a single row, say, has no R²."""
    try:
        scores = estimator.score(model, X, y) if len(X) else {}
    except (ValueError, TypeError) as error:
        raise CannotFit(f"The estimator could not be scored on the rows of this table: {error}") from error
    return {name: float(value) for name, value in scores.items() if math.isfinite(value)}


def _save(card: Card, model: Any, X: pd.DataFrame) -> predictor.Predictor:
    """Saves the model, and proves that what was saved answers like what was scored; as it would be served."""
    assert card.target and card.features
    card.probabilities = hasattr(model, "predict_proba")
    if card.target.task == "classification" and hasattr(model, "classes_"):
        classes = tuple(card.target.from_model(np.asarray(model.classes_)))
        card.target = card.target.model_copy(update={"classes": classes})
    card.features = card.features.model_copy(update={"columns": _with_gaps(predictor.make(card, model), X)})
    fitted = predictor.make(card, model)
    try:
        card.checks = fitted.check_answers()
    except CannotPredict:  # an encoder, say, that takes no word it has not seen
        card.notes.append("the model can't answer made-up rows, so none are replayed when it is loaded")
    folder = store.folder(card.model, card.version)
    card.file, card.sha256 = model_file.save(model, folder)
    loaded = predictor.make(card, model_file.load(folder / card.file, card.sha256))
    some = X.iloc[:1000]
    answers = _both(loaded, some)
    if not same(answers, _both(fitted, some)):
        raise CannotFit(
            "The saved model does not answer like the fitted one; does it predict at random without a random_state, "
            "or has it state that can't be saved?"
        )
    card.batched = _answers_alone(loaded, X.iloc[:ALONE], answers)
    if not card.batched:
        card.notes.append("a row's answer depends on the rows beside it, so each request is predicted by itself")
    card.nameless = _forgets(loaded, some, answers)
    return predictor.make(card, loaded.model if card.nameless else model_file.load(folder / card.file, card.sha256))


def _forgets(loaded: predictor.Predictor, X: pd.DataFrame, answers: list[Any]) -> bool:
    """Whether the model, without its names from now on, answers an array of the rows as it answered their table."""
    arrays.strip_feature_names(loaded.model)
    if not arrays.suits(loaded.model, loaded.schema, X):
        return False
    return same(_both(loaded, X.to_numpy()), answers)


def _compiled(card: Card, saved: predictor.Predictor, X: pd.DataFrame) -> Compiled:
    """What came of compiling the saved model, which else is served as it is."""
    if settings().runtime == "sklearn":
        return Compiled(why="RUNTIME was sklearn when it was trained")
    if not card.batched:
        return Compiled(why="A row's answer depends on the rows beside it")
    try:
        from ML.compiler import compile  # here, because the server imports this module and needs no converter
    except ImportError as error:
        return Compiled(why=f"It can't be compiled without {error.name}")
    return compile.compiled(card, saved, X, store.folder(card.model, card.version))


def _answers_alone(loaded: predictor.Predictor, X: pd.DataFrame, answers: list[Any]) -> bool:
    """Whether each row gets the answer alone that it got among the others."""
    for row in range(len(X)):
        alone = _both(loaded, X.iloc[row : row + 1])
        among = [part and part[row : row + 1] for part in answers]
        if not same(alone, among):
            return False
    return True


def _both(loaded: predictor.Predictor, X: Any) -> list[Any]:
    answer = loaded.predict(X, loaded.card.probabilities)
    return [answer.predictions, answer.probabilities]


def _with_gaps(fitted: predictor.Predictor, X: pd.DataFrame) -> tuple[schema.Column, ...]:
    """The columns, each allowed to be missing where training saw that, or where the pipeline answers without it."""

    def answers(name: str) -> bool:
        row = X.iloc[:1].copy()
        row[name] = row[name].where(row[name].isna(), np.nan)
        try:
            fitted.predict(row)
        except Exception:  # noqa: BLE001 - whatever the pipeline raises, it can't do without this column
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
