"""Reads from the store what the API says about models and versions."""

from typing import Any

from ML.errors import Conflict, NotFound
from ML.versions import provenance, store
from ML.versions.card import Card
from rest_api.answers import CardView, ModelView
from rest_api.http.forms.places import placed


def read_version(card: Card) -> CardView:
    """Return the view of a version. Reads which version is live and, if it is this one, hashes ML/src."""
    live = store.current(card.model) == card.version
    shown = card.model_copy(update={"error": reason(card)})
    return CardView.of(shown, live, live and provenance.outdated(card.source))


def reason(card: Card) -> Any:
    """Return the error of a failed training. Places in its table become places in the form that brought the table."""
    return [_placed(each, card.target_variable) for each in card.error] if isinstance(card.error, list) else card.error


def _placed(error: dict[str, Any], target: str) -> dict[str, Any]:
    loc = error["loc"]
    if error["type"] == "too_many_errors":  # it counts the others, and has no place of its own
        return {**error, "loc": ["body"]}
    if len(loc) > 1 and loc[0] == "body":  # the card of an earlier release
        return error
    return {**error, "loc": ["body", *placed(error, target)["loc"]]}


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
