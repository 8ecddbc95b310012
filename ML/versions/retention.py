"""Which versions are kept, and what is deleted when."""

from ML.config.config import settings
from ML.errors import Conflict
from ML.versions import files, store


def delete(model: str, version: int) -> None:
    """Delete a version. Raise NotFound, and Conflict if it is live or in training."""
    with files.locked(model):
        card = store.read(model, version)
        if version == store.current(model):
            raise Conflict(f"Version {version} of {model} is live; make another one live first")
        if card.state == "training":
            raise Conflict(f"Version {version} of {model} is in training; stop it first")
        _remove(model, version)


def strip(model: str, version: int) -> None:
    """Delete all files of a version except its card."""
    for file in files.folder(model, version).iterdir():
        if file.name != files.CARD:
            file.unlink()


def clear(model: str) -> None:
    """Delete what processes left that died while they wrote, and old failures. Call it only if nothing trains."""
    with files.locked(model):
        for number in files.numbers(model):
            if not (files.folder(model, number) / files.CARD).exists():
                _remove(model, number)
        for pattern in (f".{files.POINTER}.*", f"*/.{files.CARD}.*", f"*/{files.STOP}"):
            for file in files.folder(model).glob(pattern):
                file.unlink()
        prune(model)


def prune(model: str) -> None:
    """Delete old versions. The caller holds the model's lock.

    These stay: the newest KEEP_VERSIONS that are ready, the cards of as many failures since, the live version, and
    the one that it replaced, for a rollback.
    """
    cards, most, live = store.cards(model), settings().keep_versions, store.current(model)
    ready = [card.version for card in cards if card.state == "ready"][:most]
    failed = [card.version for card in cards if card.state == "failed" and card.version > min(ready, default=0)][:most]
    keep = {*ready, *failed, live, *(card.replaces for card in cards if card.version == live)}
    for card in cards:
        if card.version not in keep and card.state != "training":
            _remove(model, card.version)


def _remove(model: str, version: int) -> None:
    path = files.folder(model, version)
    (path / files.CARD).unlink(missing_ok=True)
    for file in path.iterdir():
        file.unlink()
    # The empty folder of the highest number stays, so that no later version gets the number of a deleted one.
    if version != max(files.numbers(model)):
        path.rmdir()
