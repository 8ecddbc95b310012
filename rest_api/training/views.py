"""Reads from the store what the API says about models and versions."""

from ML.errors import Conflict, NotFound
from ML.versions import provenance, store
from ML.versions.card import Card
from rest_api.answers import CardView, ModelView


def read_version(card: Card) -> CardView:
    """Return the view of a version. Reads which version is live and, if it is this one, hashes ML/src."""
    live = store.current(card.model) == card.version
    return CardView.of(card, live, live and provenance.outdated(card.source))


def read_model(name: str) -> ModelView:
    """Return the view of a model, trained or not. If its live version is broken, the view says why."""
    view = ModelView(model=name, live=None)
    try:
        if version := store.current(name):
            view.live = read_version(store.read(name, version))
            store.read_ready(name, version)
    except (Conflict, NotFound) as error:
        view.problem = str(error)
    return view
