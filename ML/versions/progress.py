"""How far a version is: its standing in one word, the share of its training that is done, the time it took."""

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
"""Seconds of each stage, in order, where there is no earlier version to tell."""


def status(card: Card, live: bool) -> Status:
    """Its standing."""
    if card.state != "ready":
        return card.state
    return "live" if live else "held back" if card.held_back else "ready"


def done(card: Card) -> float:
    """The share of the work whose stages are complete, by the times that those of the version before it took."""
    if card.state == "ready":
        return 1.0
    spans = USUAL | _before(card)
    ended = [*card.seconds, *(["waiting"] if card.stage != "waiting" else [])]
    return round(sum(spans.get(stage, 0) for stage in ended) / sum(spans.values()), 2)


def elapsed(card: Card) -> float:
    """Seconds since training began, or that it took."""
    if card.state != "training" and card.ended is None:  # of before this was noted
        return round(sum(card.seconds.values()), 1)
    return round(max(0.0, ((card.ended or datetime.now(UTC)) - card.created).total_seconds()), 1)


def _before(card: Card) -> dict[str, float]:
    try:
        return store.read(card.model, card.replaces).seconds if card.replaces else {}
    except Problem:
        return {}
