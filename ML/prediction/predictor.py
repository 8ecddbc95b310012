"""A loaded version. It is immutable, so one version both checks and answers a request."""

import timeit
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from operator import eq
from typing import Any

import numpy as np
from pydantic_core import to_json

from ML.prediction import arrays
from ML.prediction.answers import Answer, CannotPredict
from ML.prediction.onnx_session import Compiled
from ML.schema.json_rows import JsonRows
from ML.schema.schema import Schema
from ML.schema.target import Target
from ML.versions.card import Card

INLINE_SECONDS = 0.001
"""How long a prediction may take on the event loop, in seconds: short enough that no other request notices."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """The schema, target and model of one version."""

    card: Card
    schema: Schema
    target: Target
    instances: JsonRows
    model: Any
    """The estimator, or its compiled form."""
    quick_rows: int = 0
    """The most rows that the model answers within INLINE_SECONDS, measured when it was loaded."""
    row_seconds: float = 0.0
    """How long one row took in that measurement."""

    @cached_property
    def name(self) -> str:
        """The model's name and version, as the log shows them."""
        return f"{self.card.model}/{self.card.version}"

    def table(self, columns: Sequence[Sequence[Any]]) -> Any:
        """Return converted values (a sequence per column) as the model takes them: a DataFrame, an array or a feed."""
        if isinstance(self.model, Compiled):
            return self.model.table(columns)
        return arrays.array(columns) if self.card.nameless else self.schema.frame(columns)

    def predict(self, X: Any, probabilities: bool = False) -> Answer:
        """Return the answer for rows from `table`. Raise CannotPredict."""
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
        """Return the accuracy of a classification, or the R² of a regression: the share of variance it explains."""
        if self.target.task == "classification":
            return sum(map(bool, map(eq, predictions, y))) / len(y)
        truth = np.asarray(y, dtype=float)
        variance, rest = np.var(truth), np.mean((truth - np.asarray(predictions)) ** 2)
        return float(1 - rest / variance) if variance else 0.0

    def check_answers(self) -> list[Any]:
        """Return the answers for the schema's example rows. The card keeps them, and every load replays them."""
        body = to_json({"instances": self.schema.examples()})
        answer = self.predict(self.table(self.instances.parse(body, 100).columns), self.card.probabilities)
        return [answer.predictions, answer.probabilities]

    def measured(self) -> "Predictor":
        """Return a copy with `quick_rows` and `row_seconds`, measured with ever twice as many rows."""
        rows, first = 1, 0.0
        with suppress(CannotPredict):
            while rows <= 1024 and (seconds := self._seconds(rows)) < INLINE_SECONDS:
                first, rows = first or seconds, rows * 2
            first = first or seconds
        return replace(self, quick_rows=rows // 2, row_seconds=first)

    def _seconds(self, rows: int) -> float:
        """Return how long a call takes: the best of three, because other threads may be busy."""
        row = to_json({"instances": self.schema.examples()[:1]})
        columns = [list(column) * rows for column in self.instances.parse(row, 1).columns]
        call = partial(self.predict, self.table(columns), self.card.probabilities)
        return min(timeit.repeat(call, number=1, repeat=3))


def make(card: Card, model: Any) -> Predictor:
    """Return a predictor from a card with a schema and target, and a fitted model or its compiled form."""
    assert card.features and card.target
    return Predictor(card, card.features, card.target, JsonRows(card.features, card.target.name), model)
