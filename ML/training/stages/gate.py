"""The holdout gate: a new version that scores worse than the live one is kept, but does not go live automatically."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ML.config.config import settings
from ML.errors import Problem
from ML.training.estimators import Estimator
from ML.training.stages import holdout
from ML.training.stages.job import Job
from ML.versions import files, model_file, store
from ML.versions.card import Card, Comparison

MIN_ROWS = 10
"""With fewer rows, a difference may be chance: four lost in a row, for example."""
GROUPS = 20
"""Groups of rows that the jackknife leaves out, one at a time."""
BEYOND_CHANCE = 2
"""A larger difference, in standard errors, is chance in one of forty cases."""


class Incomparable(Exception):
    """The reason why the versions can't be compared: the new one goes live, with the reason as a note."""


def compare(job: Job) -> Job:
    """Score the new model and the live one on the held-out rows, and put both scores and the verdict on the card.

    A row is held out by its hash, so the live version was not fitted to these rows either.
    """
    X, y = job.X[job.held_out], job.y[job.held_out]
    try:
        live = _live(job.card)
        unseen = _unseen(live, X, y)
        if unseen.sum() < MIN_ROWS:
            raise Incomparable(f"{unseen.sum()} held-out rows that neither has seen are too few")
        gate = _measure(job, live, X[unseen], y[unseen])
    except Incomparable as reason:
        return job.on_card(f"not compared with a live version: {reason}")
    notes = [explanation(job.card, gate)] if gate.worse else []
    return job.on_card(*notes, gate=gate, held_back=gate.worse and not job.card.forced)


def explanation(card: Card, gate: Comparison) -> str:
    """Return the note for a version that is worse than the live one: both scores and the remedy."""
    remedy = "it went live by force" if card.forced else "make it live with PUT .../current, or train with force=true"
    return (
        f"{'worse' if card.forced else 'held back'}: {gate.score} is {gate.new:.4g} on {gate.rows} held-out rows, "
        f"where version {gate.live_version}, which was live, has {gate.live:.4g}; {remedy}"
    )


def _live(card: Card) -> Card:
    """Return the card of the version to replace. Raise Incomparable unless it learned the same columns and target."""
    if card.replaces is None:
        raise Incomparable("this is the first")
    try:
        live = store.read_ready(card.model, card.replaces)
    except Problem as error:
        raise Incomparable(str(error)) from None
    if live.features is None or live.target is None or not live.rows.get("holdout"):
        raise Incomparable(f"version {live.version} had no row held out")
    if _kinds(live) != _kinds(card):
        raise Incomparable(f"the columns are not those of version {live.version}")
    if _target(live) != _target(card):
        raise Incomparable(f"the target is not that of version {live.version}")
    return live


def _kinds(card: Card) -> dict[str, Any]:
    return {c.name: (c.kind, c.words) for c in card.features.columns} if card.features else {}


def _target(card: Card) -> tuple[str, str, str] | None:
    return (card.target.name, card.target.task, card.target.type) if card.target else None


def _unseen(live: Card, X: pd.DataFrame, y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return True for rows that the live version was not fitted to: held out then too, and not of a rare class."""
    seen = np.isin(y.astype(str), [str(label) for label in live.kept])
    if live.holdout is not None and live.holdout < settings().holdout:
        seen |= ~holdout.in_share(X, live.holdout)
    return ~seen


def _measure(job: Job, live: Card, X: pd.DataFrame, y: NDArray[Any]) -> Comparison:
    """Return both scores on these rows. Raise Incomparable if the live version has none."""
    try:
        live_model = model_file.load(files.folder(live.model, live.version) / live.file, live.sha256)
        return _score_both(job, live, live_model, X, job.target.to_model(y))
    except Incomparable:
        raise
    except Exception as error:  # noqa: BLE001 - neither an old file nor the user's score may fail a training
        raise Incomparable(f"version {live.version} can't be scored on these rows: {error}") from None


def _score_both(job: Job, live: Card, live_model: Any, X: pd.DataFrame, y: NDArray[Any]) -> Comparison:
    assert live.features
    live_X = X[[column.name for column in live.features.columns]]

    def scores(rows: Any) -> tuple[str, float, float]:
        name, new = _primary(job.estimator, job.model, X[rows], y[rows])
        return name, new, _primary(job.estimator, live_model, live_X[rows], y[rows])[1]

    def drop(rows: Any) -> float:
        _, new, old = scores(rows)
        return old - new

    name, new, old = scores(slice(None))
    worse = old - new > settings().gate_tolerance and old - new > BEYOND_CHANCE * standard_error(drop, len(X))
    return Comparison(score=name, new=new, live=old, live_version=live.version, rows=len(X), worse=worse)


def _primary(estimator: Estimator, model: Any, X: pd.DataFrame, y: Any) -> tuple[str, float]:
    """Return name and value of the first score. Raise Incomparable if it is not finite, or there is none."""
    for name, value in estimator.score(model, X, y).items():
        if math.isfinite(value):
            return name, float(value)
        raise Incomparable(f"{name} is not a finite number on these rows")
    raise Incomparable("score() returned no metrics; return at least one")


def standard_error(difference: Callable[..., float], rows: int) -> float:
    """Return the standard error of a difference of any two scores: a delete-a-group jackknife.

    `difference` takes the rows to score, True in an array of shape (rows,).
    """
    groups = min(GROUPS, rows)
    place = np.arange(rows) % groups
    found = np.array([difference(place != group) for group in range(groups)])
    return float(np.sqrt((groups - 1) / groups * ((found - found.mean()) ** 2).sum()))
