"""A version that was trained from the same upload before, so that it need not be trained again."""

from ML.config.config import settings
from ML.errors import Problem
from ML.prediction import loading
from ML.training import failures
from ML.versions import provenance, publishing, store
from ML.versions.card import Card


def reuse(model: str, data: bytes, target: str) -> Card | None:
    """Return the first loadable version that was trained from the same upload, and make it live unless held back."""
    for card, live in _find(model, data, target):
        try:
            loading.load(model, card.version)
            if not live and not card.held_back:
                with failures.store_errors():
                    publishing.promote(model, card.version)
        except Problem:  # for example, its files were changed: try the next one, or train again
            continue
        return card
    return None


def _find(model: str, data: bytes, target: str) -> list[tuple[Card, bool]]:
    """Return the versions trained from the same table, target and code, and whether each is live: that one first.

    Versions of a sample don't count, because the next sample replaces them, while an uploaded version stays.
    """
    fingerprint, current = provenance.fingerprint(data, target), store.current(model)
    same = [
        (card, card.version == current)
        for card in store.cards(model)
        if (card.state, card.fingerprint) == ("ready", fingerprint)
        and card.origin != "sample"
        and card.holdout in (None, settings().holdout)
    ]
    return sorted(same, key=lambda upload: not upload[1])
