"""The progress of a version: its status, the share of its training that is done, and how long it took."""

from datetime import UTC, datetime
from typing import Literal

from ML.errors import Problem
from ML.versions import store
from ML.versions.card import Card

Status = Literal["training", "live", "ready", "held back", "failed"]

USUAL = {
    "waiting": 2.0,
    "read": 0.3,
    "holdout": 0.1,
    "fit": 3.0,
    "score": 0.2,
    "compare": 0.3,
    "save": 0.5,
    "compile": 1.0,
}
"""Typical seconds of each stage, in order, for a model without an earlier version."""


def status(card: Card, live: bool) -> Status:
    """Return the status of a version, `live` if it is the live one."""
    if card.state != "ready":
        return card.state
    return "live" if live else "held back" if card.held_back else "ready"


def done(card: Card) -> float:
    """Return the share of the training whose stages are complete, weighted by the seconds of the version before."""
    if card.state == "ready":
        return 1.0
    expected = USUAL | _seconds_before(card)
    ended = [*card.seconds, *(["waiting"] if card.stage != "waiting" else [])]
    return round(sum(expected.get(stage, 0) for stage in ended) / sum(expected.values()), 2)


def elapsed(card: Card) -> float:
    """Return the seconds since training began or, if it has ended, how many it took."""
    if card.state != "training" and card.ended is None:  # of a release that did not record the end
        return round(sum(card.seconds.values()), 1)
    return round(max(0.0, ((card.ended or datetime.now(UTC)) - card.created).total_seconds()), 1)


def _seconds_before(card: Card) -> dict[str, float]:
    try:
        return store.read(card.model, card.replaces).seconds if card.replaces else {}
    except Problem:
        return {}
