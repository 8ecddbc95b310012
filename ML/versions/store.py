"""Model versions on disk: `<models_dir>/<model>/<version>/` with card and model, and a pointer to the live one."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from ML.config.config import settings
from ML.errors import Conflict, NotFound, NotReady
from ML.versions import seal
from ML.versions.card import Card, Origin

log = logging.getLogger("fast_ml.store")

CARD, POINTER, UPLOAD, STOP = "card.json", "current", "upload.csv", "stop"


def folder(model: str, version: int | None = None) -> Path:
    """The folder of a model or of one version."""
    path = settings().models_dir / model
    return path if version is None else path / str(version)


def claim(model: str, origin: Origin, target: str) -> Card:
    """A new version, in training: the number after the highest there is. `mkdir` lets only one process have it."""
    folder(model).mkdir(parents=True, exist_ok=True)
    number = max(_numbers(model), default=0) + 1
    while True:
        with suppress(FileExistsError):
            folder(model, number).mkdir()
            break
        number += 1
    card = Card(
        model=model,
        version=number,
        origin=origin,
        target_variable=target,
        created=datetime.now(UTC),
        replaces=current(model),
    )
    write(card)
    return card


def write(card: Card) -> None:
    """Saves a card, sealed, so that a reader sees the old or the new one, never a half."""
    _replace(folder(card.model, card.version) / CARD, seal.sealed(card.model_dump_json(by_alias=True)))


def read(model: str, version: int) -> Card:
    """The card of a version, as it stands in its file. Raises NotFound, and Conflict where it can't be read."""
    return _card(model, version, _card_file(model, version))


def read_ready(model: str, version: int) -> Card:
    """The card of a version that may answer.

    Raises NotFound, and Conflict where it is not ready or its card was changed after it was published.
    """
    data = _card_file(model, version)
    card = _card(model, version, data)
    if card.state != "ready":
        raise Conflict(f"Version {version} of {model} is {card.state}; only one that is ready can go live and answer")
    if not seal.has_seal(data):
        raise Conflict(
            f"The card of version {version} of {model} has no checksum: it is older than these, or the checksum was "
            "removed; train again, roll back, or accept the card with python -m ML.training --seal"
        )
    if not seal.matches(data):
        raise Conflict(
            f"The card of version {version} of {model} was changed after it was published: its checksum differs; "
            "train again or roll back"
        )
    return card


def seal_unsealed(model: str) -> list[int]:
    """Seals the cards that have no seal, as versions from before seals have none; their numbers."""
    found = []
    with locked(model):
        for version in versions(model):
            with suppress(Conflict, NotFound):
                data = _card_file(model, version)
                _card(model, version, data)
                if not seal.has_seal(data):
                    _replace(folder(model, version) / CARD, seal.sealed(data.decode()))
                    found.append(version)
    return found


def _card_file(model: str, version: int) -> bytes:
    try:
        return (folder(model, version) / CARD).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{model} has no version {version}; its versions are {versions(model) or 'none yet'}") from None


def _card(model: str, version: int, data: bytes) -> Card:
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        raise Conflict(f"The card of version {version} of {model} can't be read: {error.errors()[0]['msg']}") from None


def cards(model: str) -> list[Card]:
    """The cards of all versions, newest first, less those that can't be read: one broken file spoils no other."""
    found = []
    for version in versions(model):
        with suppress(Conflict, NotFound):
            found.append(read(model, version))
    return found


def versions(model: str) -> list[int]:
    """The numbers of all versions, newest first, those in training and failed ones included."""
    return sorted((n for n in _numbers(model) if (folder(model, n) / CARD).exists()), reverse=True)


def current(model: str) -> int | None:
    """The live version, None where there is none yet."""
    try:
        return int((folder(model) / POINTER).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise Conflict(f"{folder(model) / POINTER} holds no version's number; make a version live") from None


def live(model: str) -> Card:
    """The card of the live version. Raises NotReady."""
    version = current(model)
    if version is None:
        raise NotReady(f"The model {model} has no version yet; train it with POST /train_model and model={model}")
    return read(model, version)


def publish(card: Card) -> bool:
    """Saves a trained version, and makes it live unless it is held back: it is worse, or another was made live."""
    with locked(card.model):
        if current(card.model) != card.replaces:
            card.held_back = True
            card.notes.append(
                f"held back: version {current(card.model)} was made live by hand while this one was trained"
            )
        card.state, card.ended = "ready", datetime.now(UTC)
        write(card)
        if not card.held_back:
            _point(card.model, card.version)
        try:
            _prune(card.model)
        except OSError as error:  # what is published stays published
            log.warning("old versions of %s can't be deleted: %s", card.model, error)
    return not card.held_back


def promote(model: str, version: int) -> Card:
    """Makes a version live, a new one or an old one. Raises NotFound, and Conflict as `read_ready` does."""
    with locked(model):
        card = read_ready(model, version)
        _point(model, version)
        if card.held_back:  # no longer
            card.held_back = False
            write(card)
    return card


def delete(model: str, version: int) -> None:
    """Deletes a version. Raises NotFound, and Conflict for the live one and one in training."""
    with locked(model):
        card = read(model, version)
        if version == current(model):
            raise Conflict(f"Version {version} of {model} is live; make another one live first")
        if card.state == "training":
            raise Conflict(f"Version {version} of {model} is in training; stop it first")
        _remove(model, version)


def strip(model: str, version: int) -> None:
    """Deletes a version's files but its card."""
    for file in folder(model, version).iterdir():
        file.unlink() if file.name != CARD else None


def clear(model: str) -> None:
    """Deletes what processes left that died while they wrote, and cards of old failures. Call it with no training on.

    The empty folder of the highest number stays, so that no later version gets the number of a deleted one.
    """
    with locked(model):
        numbers = _numbers(model)
        for number in numbers:
            if not (folder(model, number) / CARD).exists():
                _remove(model, number)
        for pattern in (f".{POINTER}.*", f"*/.{CARD}.*", f"*/{STOP}"):
            for file in folder(model).glob(pattern):
                file.unlink()
        _prune(model)


@contextmanager
def locked(model: str, name: str = "lock", wait: bool = True) -> Iterator[int]:
    """Holds a lock of a model across processes; its file descriptor. A subprocess that inherits it holds it too.

    Raises BlockingIOError where it is taken and `wait` is false.
    """
    path = folder(model) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # the disk is read-only, or full and the file missing: one that is there can be locked all the same
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)


def _numbers(model: str) -> list[int]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return [int(path.name) for path in folder(model).iterdir() if path.name.isascii() and path.name.isdigit()]
    return []


def _point(model: str, version: int) -> None:
    _replace(folder(model) / POINTER, f"{version}\n")


def _replace(path: Path, text: str) -> None:
    """Rename is atomic: readers see the old text or the new one, and after a crash too."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise


def _prune(model: str) -> None:
    """Keeps the newest ready versions, the live one and the one before it, and the cards of as many failures since.

    The one before it is what somebody wants who has to roll back.
    """
    found, most, now = cards(model), settings().keep_versions, current(model)
    ready = [card.version for card in found if card.state == "ready"][:most]
    failed = [card.version for card in found if card.state == "failed" and card.version > min(ready, default=0)][:most]
    kept = {*ready, *failed, now, *(card.replaces for card in found if card.version == now)}
    for card in found:
        if card.version not in kept and card.state != "training":
            _remove(model, card.version)


def _remove(model: str, version: int) -> None:
    path = folder(model, version)
    (path / CARD).unlink(missing_ok=True)
    for file in path.iterdir():
        file.unlink()
    # The empty folder of the highest number stays, so that no later version gets the number of a deleted one.
    if version != max(_numbers(model)):
        path.rmdir()
