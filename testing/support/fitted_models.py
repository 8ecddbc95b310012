"""Fit models to tables of text cells as a training does, and compile them."""

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ML.compiler import compile
from ML.compiler.probes import probes
from ML.compiler.proof import prove
from ML.prediction import onnx_session, predictor
from ML.prediction.predictor import Predictor
from ML.schema import schema_learning, target_learning
from ML.src import classifier
from ML.versions.card import Card, Compiled

# On a busy machine OpenMP's threads wait for each other: a fit of 0.1 s takes ten.
threadpool_limits(1)


class Fitted(NamedTuple):
    """A fitted model, served by scikit-learn, and the rows it was fitted to."""

    original: Predictor
    X: pd.DataFrame

    def published(self, folder) -> Compiled:
        """Compile it into a folder and return what a training writes on the card."""
        return compile.compiled(self.original.card, self.original, self.X, folder)

    def converted(self, change=lambda data: data) -> tuple[Predictor, dict]:
        """Return its compiled form after a change to the graph, and the thresholds of its trees."""
        card = self.original.card
        assert card.features and card.target
        data, thresholds = compile.converted(card, self.original.model)
        model = onnx_session.Compiled(change(data), card.features, card.target.classes)
        return predictor.make(card, model), thresholds

    def proven(self, change=lambda data: data, rows=2000):
        """Return the proof of its compiled form. Raises Different."""
        made, thresholds = self.converted(change)
        return prove(self.original, made, probes(self.original.schema, self.X, thresholds, rows))


def fit_model(model, table, task):
    """Fit the model to the table's columns except `y`, and allow missing values where a training allows them."""
    from ML.training.stages import gaps

    names = [name for name in table if name != "y"]
    wanted = target_learning.learn("y", table["y"], task)
    features, X = schema_learning.learn(names, [table[name] for name in names])
    y = wanted.convert(table["y"])
    model.fit(X, wanted.to_model(y))
    if task == "classification":
        classes = tuple(wanted.from_model(np.asarray(model.classes_)))
        wanted = wanted.model_copy(update={"classes": classes})
    card = Card(model="m", version=1, origin="command", target_variable="y", created=datetime.now(UTC),
                features=features, target=wanted, probabilities=hasattr(model, "predict_proba"))  # fmt: skip
    columns = gaps.learn(predictor.make(card, model), X)
    card.features = features.model_copy(update={"columns": columns})
    return Fitted(predictor.make(card, model), X)


def encoder():
    """Return the preprocessing of the default models, unfitted."""
    return classifier.build().named_steps["encode"]


def people(rows=120, classes=3, seed=0):
    """Return a table with every kind of column and missing values. Its target depends on numbers and text."""
    rng = np.random.default_rng(seed)
    gap = rng.random((rows, 3)) < 0.1
    age, fare = rng.normal(40, 12, rows), rng.lognormal(3, 1, rows)
    town = rng.choice(["Bonn", "Oslo", "Rome", "Ulm"], rows)
    known = fare + 10 * (town == "Oslo") + 20 * (town == "Rome") + age / 4 + rng.normal(0, 2, rows)
    places = np.digitize(known, np.quantile(known, np.linspace(0, 1, classes + 1)[1:-1]))
    return {
        "age": ["" if no else f"{value:.2f}" for value, no in zip(age, gap[:, 0], strict=True)],
        "fare": [repr(value) for value in fare.tolist()],
        "rooms": [str(value) for value in rng.integers(1, 6, rows)],
        "vip": ["" if no else word for word, no in zip(rng.choice(["yes", "no"], rows), gap[:, 1], strict=True)],
        "since": [f"20{year}-0{month}-11" for year, month in rng.integers([10, 1], [25, 9], (rows, 2)).tolist()],
        "town": ["" if no else str(word) for word, no in zip(town, gap[:, 2], strict=True)],
        "grade": [str(word) for word in rng.choice(["a", "b", "c"], rows)],
        "y": [repr(value) for value in known.tolist()] if classes == 0 else ["abcdef"[place] for place in places],
    }
