"""Makes versions live: after a training, and by hand."""

import logging
from datetime import UTC, datetime

from ML.versions import files, retention, store
from ML.versions.card import Card

log = logging.getLogger("fast_ml.store")


def publish(card: Card) -> bool:
    """Save a trained version as ready, and return whether it went live.

    It does not if it scores worse, or if another version was made live during its training.
    """
    with files.locked(card.model):
        live = store.current(card.model)
        if live != card.replaces:
            card.held_back = True
            card.notes.append(f"held back: version {live} was made live by hand while this one was trained")
        card.state, card.ended = "ready", datetime.now(UTC)
        store.write(card)
        if not card.held_back:
            _make_live(card.model, card.version)
        try:
            retention.prune(card.model)
        except OSError as error:  # the version is published all the same
            log.warning("old versions of %s can't be deleted: %s", card.model, error)
    return not card.held_back


def promote(model: str, version: int) -> Card:
    """Make a version live, newer or older than the live one, and return its card.

    Raise NotFound, and Conflict as `store.read_ready` does.
    """
    with files.locked(model):
        card = store.read_ready(model, version)
        _make_live(model, version)
        if card.held_back:
            card.held_back = False
            store.write(card)
    return card


def _make_live(model: str, version: int) -> None:
    files.write(files.folder(model) / files.POINTER, f"{version}\n")
