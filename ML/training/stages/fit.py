"""Fits the estimator to the training rows, and scores it on these and on the held-out rows."""

import math
from typing import Any

import pandas as pd

from ML.errors import Problem
from ML.training.estimators import Estimator
from ML.training.stages.job import Job


class CannotFit(Problem):
    """The estimator can't be fitted, scored or saved with a table that is valid otherwise."""

    status = 422


def fit(job: Job) -> Job:
    """Fit the model to the rows that are not held out. Raise CannotFit."""
    rows = ~job.held_out
    try:
        job.model.fit(job.X[rows], job.target.to_model(job.y)[rows])
    except (ValueError, TypeError) as error:
        raise CannotFit(f"The estimator could not be fitted to this table: {error}") from error
    return job


def score(job: Job) -> Job:
    """Put the scores on the card: `metrics` of the held-out rows, `train_metrics` of the others. Raise CannotFit."""
    labels, held_out = job.target.to_model(job.y), job.held_out
    return job.on_card(
        metrics=_score(job.estimator, job.model, job.X[held_out], labels[held_out]),
        train_metrics=_score(job.estimator, job.model, job.X[~held_out], labels[~held_out]),
    )


def _score(estimator: Estimator, model: Any, X: pd.DataFrame, y: Any) -> dict[str, float | None]:
    """Return the scores that are finite: R² of a single row, for example, is not."""
    try:
        scores = estimator.score(model, X, y) if len(X) else {}
    except (ValueError, TypeError) as error:
        raise CannotFit(f"The estimator could not be scored on the rows of this table: {error}") from error
    return {name: float(value) for name, value in scores.items() if math.isfinite(value)}
