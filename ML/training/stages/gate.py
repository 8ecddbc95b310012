"""The holdout gate: a new version that scores worse than the live one is kept, but not made live by itself."""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ML.config.config import settings
from ML.errors import Problem
from ML.training.estimators import Estimator
from ML.training.stages import holdout
from ML.versions import model_file, store
from ML.versions.card import Card, Comparison

FEWEST = 10
"""Fewer rows than this tell nothing: there, four lost in a row may be chance."""
GROUPS = 20
BEYOND_CHANCE = 2
"""Standard errors of the difference; more than that is chance in one case of forty."""


class Incomparable(Exception):
    """Why there is nothing to compare: the new version goes live, with this as a note."""


def compare(card: Card, estimator: Estimator, model: Any, X: pd.DataFrame, y: NDArray[Any]) -> None:
    """Puts on the card how its model and the live one score on the rows held out of its upload.

    A row is held out by its hash, so the live version was not fitted to these either.
    """
    try:
        live = _live(card)
        unseen = _unseen(live, X, y)
        if unseen.sum() < FEWEST:
            raise Incomparable(f"{unseen.sum()} held-out rows that neither has seen are too few")
        card.gate = _measure(card, live, estimator, model, X[unseen], y[unseen])
    except Incomparable as reason:
        card.notes.append(f"not compared with a live version: {reason}")
        return
    card.held_back = card.gate.worse and not card.forced
    if card.gate.worse:
        card.notes.append(explanation(card, card.gate))


def explanation(card: Card, found: Comparison) -> str:
    """What somebody reads whose version is worse than the live one."""
    remedy = "it went live by force" if card.forced else "make it live with PUT .../current, or train with force=true"
    return (
        f"{'worse' if card.forced else 'held back'}: {found.score} is {found.new:.4g} on {found.rows} held-out rows, "
        f"where version {found.live_version}, which was live, has {found.live:.4g}; {remedy}"
    )


def _live(card: Card) -> Card:
    """The version that is to be replaced, if it learned the same columns and target."""
    if card.replaces is None:
        raise Incomparable("this is the first")
    try:
        live = store.read_ready(card.model, card.replaces)
    except Problem as error:
        raise Incomparable(str(error)) from None
    assert card.features and card.target
    if live.features is None or live.target is None or not live.rows.get("holdout"):
        raise Incomparable(f"version {live.version} had no row held out")
    if _kinds(live) != _kinds(card):
        raise Incomparable(f"the columns are not those of version {live.version}")
    if (live.target.name, live.target.task, live.target.type) != (card.target.name, card.target.task, card.target.type):
        raise Incomparable(f"the target is not that of version {live.version}")
    return live


def _kinds(card: Card) -> dict[str, Any]:
    return {c.name: (c.kind, c.words) for c in card.features.columns} if card.features else {}


def _unseen(live: Card, X: pd.DataFrame, y: NDArray[Any]) -> NDArray[np.bool_]:
    """True for rows that the live version was not fitted to: those of its own share, less its rare classes."""
    seen = np.isin(y.astype(str), [str(label) for label in live.kept])
    if live.holdout is not None and live.holdout < settings().holdout:
        seen |= ~holdout.in_share(X, live.holdout)
    return ~seen


def _measure(card: Card, live: Card, estimator: Estimator, model: Any, X: pd.DataFrame, y: NDArray[Any]) -> Comparison:
    assert card.target and live.features
    names = [column.name for column in live.features.columns]
    labels = card.target.to_model(y)
    try:
        before = model_file.load(store.folder(live.model, live.version) / live.file, live.sha256)
        new, old = _primary(estimator, model, X, labels), _primary(estimator, before, X[names], labels)
        drop = old[1] - new[1]
        worse = drop > settings().gate_tolerance and drop > BEYOND_CHANCE * _error(
            lambda rows: (
                _primary(estimator, before, X[names][rows], labels[rows])[1]
                - _primary(estimator, model, X[rows], labels[rows])[1]
            ),
            len(X),
        )
    except Incomparable:
        raise
    except Exception as error:  # noqa: BLE001 - a file of yesterday's, a score of the user's: neither may fail a training
        raise Incomparable(f"version {live.version} can't be scored on these rows: {error}") from None
    return Comparison(score=new[0], new=new[1], live=old[1], live_version=live.version, rows=len(X), worse=worse)


def _primary(estimator: Estimator, model: Any, X: pd.DataFrame, y: Any) -> tuple[str, float]:
    """Name and value of the first score."""
    for name, value in estimator.score(model, X, y).items():
        if math.isfinite(value):
            return name, float(value)
        raise Incomparable(f"{name} is no number on these rows")
    raise Incomparable("the estimator has no score")


def _error(difference: Any, rows: int) -> float:
    """The standard error of a difference of scores, whatever the scores are: a delete-a-group jackknife."""
    groups = min(GROUPS, rows)
    place = np.arange(rows) % groups
    found = np.array([difference(place != group) for group in range(groups)])
    return float(np.sqrt((groups - 1) / groups * ((found - found.mean()) ** 2).sum()))
