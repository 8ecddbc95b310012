"""A training in progress: the card so far, and what the stages hand on to each other."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ML.prediction.predictor import Predictor
from ML.schema.schema import Schema
from ML.schema.target import Target
from ML.training import estimators
from ML.training.estimators import Estimator
from ML.versions import provenance
from ML.versions.card import Card


@dataclass(frozen=True, eq=False)
class Job:
    """What is known so far. A stage returns a new job and leaves the old one, and its card, as they are."""

    card: Card
    estimator: Estimator
    upload: bytes
    """The CSV file; empty once it has been read, to free its memory."""
    model: Any = None
    """The user's estimator, unfitted until the stage `fit`."""
    X: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The features of all rows, shape (rows, columns), as the estimator gets them."""
    y: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    """The target of all rows, shape (rows,), in its own type."""
    held_out: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    """True for the rows that only score the model, shape (rows,)."""
    saved: Predictor | None = None
    """The model as loaded back from its file."""

    @property
    def schema(self) -> Schema:
        """The features that the stage `read` learned."""
        assert self.card.features
        return self.card.features

    @property
    def target(self) -> Target:
        """The target that the stage `read` learned."""
        assert self.card.target
        return self.card.target

    def on_card(self, *notes: str, **fields: Any) -> "Job":
        """Return the job with these fields on its card, and these notes after the ones it has."""
        update = fields | {"notes": [*self.card.notes, *notes]}
        return replace(self, card=self.card.model_copy(update=update))


def start(card: Card, upload: bytes) -> Job:
    """Return the job of a claimed version. Raise NotFound, and Broken if the estimator's module can't be used."""
    estimator = estimators.load(card.model)
    return Job(card, estimator, upload).on_card(
        fingerprint=provenance.fingerprint(upload, card.target_variable),
        source=provenance.code(),
        libraries=provenance.libraries(),
    )
