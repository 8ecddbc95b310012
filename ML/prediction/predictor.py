"""A version, loaded: immutable, so that a request is checked and answered by one version."""

import logging
import math
import timeit
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from operator import eq
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import to_json

from ML.config.config import settings
from ML.errors import Conflict, Problem
from ML.prediction import arrays, onnx_session
from ML.prediction.onnx_session import Compiled
from ML.schema.json_rows import JsonRows
from ML.schema.schema import Schema
from ML.schema.target import Target
from ML.versions import model_file, store
from ML.versions.card import Card

log = logging.getLogger("fast_ml.predictor")

TOLERANCE = 1e-9
INLINE_SECONDS = 0.001
"""Seconds: what an event loop can do without anybody noticing."""


class CannotPredict(Problem):
    """The model refused rows that its schema lets through, such as a category it never saw."""

    status = 422


class Answer(NamedTuple):
    """Predictions in the target's own type, and probabilities, a list for each row, if asked for."""

    predictions: list[Any]
    probabilities: list[list[float]] | None = None


@dataclass(frozen=True, eq=False)
class Predictor:
    """Schema, target and model of one version."""

    card: Card
    schema: Schema
    target: Target
    instances: JsonRows
    model: Any
    """The estimator, or its compiled form."""
    quick_rows: int = 0
    """The most rows that it answers within QUICK, measured when it was loaded."""
    row_seconds: float = 0.0
    """What one row took then."""

    @cached_property
    def name(self) -> str:
        """The model's name and version as they stand in the log."""
        return f"{self.card.model}/{self.card.version}"

    def table(self, columns: Sequence[Sequence[Any]]) -> Any:
        """Converted values, a sequence for each column, as what the model takes: a DataFrame, an array, or a feed."""
        if isinstance(self.model, Compiled):
            return self.model.table(columns)
        return arrays.array(columns) if self.card.nameless else self.schema.frame(columns)

    def predict(self, X: Any, probabilities: bool = False) -> Answer:
        """The answer for rows that the schema made. Raises CannotPredict."""
        if probabilities and not self.card.probabilities:
            raise CannotPredict(f"The model {self.card.model} has no probabilities; leave the parameter out")
        try:
            if isinstance(self.model, Compiled):
                return Answer(*self.model.answer(X, probabilities))
            predictions = self.target.from_model(self.model.predict(X))
            shares = np.asarray(self.model.predict_proba(X)).tolist() if probabilities else None
        except (ValueError, TypeError) as error:
            raise CannotPredict(f"The model can't predict these rows: {error}") from error
        if len(predictions) != len(X):
            raise CannotPredict(f"The model answered {len(predictions)} predictions for {len(X)} rows")
        return Answer(predictions, shares)

    def score(self, predictions: Sequence[Any], y: Sequence[Any]) -> float:
        """Accuracy of a classification, R² of a regression: the share of the variance that is explained."""
        if self.target.task == "classification":
            return sum(map(bool, map(eq, predictions, y))) / len(y)
        truth = np.asarray(y, dtype=float)
        variance, rest = np.var(truth), np.mean((truth - np.asarray(predictions)) ** 2)
        return float(1 - rest / variance) if variance else 0.0

    def check_answers(self) -> list[Any]:
        """What the model answers for the schema's made-up rows; kept on the card and replayed at each load."""
        body = to_json({"instances": self.schema.examples()})
        answer = self.predict(self.table(self.instances.parse(body, 100).columns), self.card.probabilities)
        return [answer.predictions, answer.probabilities]

    def measured(self) -> "Predictor":
        """The same with its `quick_rows`, found by doubling."""
        rows, first = 1, 0.0
        with suppress(CannotPredict):
            while rows <= 1024 and (seconds := self._seconds(rows)) < INLINE_SECONDS:
                first, rows = first or seconds, rows * 2
            first = first or seconds
        return replace(self, quick_rows=rows // 2, row_seconds=first)

    def _seconds(self, rows: int) -> float:
        """What a call takes: the best of three, since other threads may be at work."""
        row = to_json({"instances": self.schema.examples()[:1]})
        columns = [list(column) * rows for column in self.instances.parse(row, 1).columns]
        call = partial(self.predict, self.table(columns), self.card.probabilities)
        return min(timeit.repeat(call, number=1, repeat=3))


def make(card: Card, model: Any) -> Predictor:
    """A predictor from a card that has its schema and target, and a fitted model or its compiled form."""
    assert card.features and card.target
    if card.nameless:
        arrays.without_feature_names(model)
    return Predictor(card, card.features, card.target, JsonRows(card.features, card.target.name), model)


def load(name: str, version: int) -> Predictor:
    """The predictor of a version on disk, once it answers its card's check rows as it did when it was trained.

    Raises NotFound, Conflict where it is not ready, was changed or answers differently, and Untrusted.
    """
    card = store.read_ready(name, version)
    folder = store.folder(name, version)
    if compiled := _compiled(card, folder):
        return compiled
    loaded = make(card, model_file.load(folder / card.file, card.sha256))
    if not _replays(loaded):
        made = ", ".join(f"{library} {number}" for library, number in card.libraries.items())
        raise Conflict(
            f"Version {version} of {name} answers its check rows differently than when it was trained with {made}; "
            "train it again"
        )
    return loaded


def _compiled(card: Card, folder: Path) -> Predictor | None:
    """The compiled version; None where there is none, and with a log line where there is but the original must do."""
    entry = card.compiled
    if not (entry and entry.used and card.features and card.target):
        return None
    # The original too is what was published: it answers as soon as the compiled one may not.
    model_file.read(folder / card.file, card.sha256)
    try:
        if settings().runtime == "sklearn":
            raise onnx_session.Unusable("RUNTIME is sklearn")
        path, classes = folder / entry.file, card.target.classes
        loaded = make(card, onnx_session.load(path, entry.sha256, entry.runtime, card.features, classes))
        if not _replays(loaded):
            raise onnx_session.Unusable("compiled, it answers its check rows differently than when it was trained")
    except onnx_session.Unusable as error:
        log.warning("%s/%s is served by scikit-learn: %s", card.model, card.version, error)
        return None
    return loaded


def _replays(loaded: Predictor) -> bool:
    """Whether it answers the check rows, if there are any, as it did when it was trained."""
    return not loaded.card.checks or same(loaded.check_answers(), loaded.card.checks)


def same(a: Any, b: Any) -> bool:
    """Whether two answers are alike: labels equal, numbers within 1e-9 of each other, relative to their size."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    # A card is JSON, which has null for NaN.
    a, b = math.nan if a is None else a, math.nan if b is None else b
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (a != a and b != b)
    return bool(a == b)
