"""Load a version from disk: compiled if possible, else as scikit-learn made it."""

import logging
from pathlib import Path

from ML.config.config import settings
from ML.errors import Conflict
from ML.prediction import arrays, onnx_session, predictor
from ML.prediction.answers import same
from ML.prediction.predictor import Predictor
from ML.versions import files, model_file, store
from ML.versions.card import Card

log = logging.getLogger("fast_ml.predictor")


def load(name: str, version: int) -> Predictor:
    """Return the predictor of a version on disk, after it answered its card's check rows as it did in training.

    Raise NotFound; Conflict if the version is not ready, was changed or answers differently; Untrusted.
    """
    card = store.read_ready(name, version)
    folder = files.folder(name, version)
    if compiled := _compiled(card, folder):
        return compiled
    model = model_file.load(folder / card.file, card.sha256)
    if card.nameless:
        arrays.strip_feature_names(model)
    loaded = predictor.make(card, model)
    if not _replays(loaded):
        libraries = ", ".join(f"{library} {number}" for library, number in card.libraries.items())
        raise Conflict(
            f"Version {version} of {name} answers its check rows differently than when it was trained with "
            f"{libraries}; train it again"
        )
    return loaded


def _compiled(card: Card, folder: Path) -> Predictor | None:
    """Return the compiled version, None if the card has none. If it is unusable, log why and return None."""
    entry = card.compiled
    if not (entry and entry.used and card.features and card.target):
        return None
    # Check the original too: it must be intact when the compiled file can't be used.
    model_file.read(folder / card.file, card.sha256)
    try:
        if settings().runtime == "sklearn":
            raise onnx_session.Unusable("RUNTIME is sklearn")
        path, classes = folder / entry.file, card.target.classes
        session = onnx_session.load(path, entry.sha256, entry.runtime, card.features, classes)
        loaded = predictor.make(card, session)
        if not _replays(loaded):
            raise onnx_session.Unusable("compiled, it answers its check rows differently than when it was trained")
    except onnx_session.Unusable as error:
        log.warning("%s/%s is served by scikit-learn: %s", card.model, card.version, error)
        return None
    return loaded


def _replays(loaded: Predictor) -> bool:
    """Return whether the model answers the check rows as it did in training. A card may have none."""
    return not loaded.card.checks or same(loaded.check_answers(), loaded.card.checks)
