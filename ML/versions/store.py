"""The cards of a model's versions on disk, and which version is live."""

from contextlib import suppress
from datetime import UTC, datetime

from pydantic import ValidationError

from ML.errors import Conflict, NotFound, NotReady
from ML.versions import files, seal
from ML.versions.card import Card, Origin


def claim(model: str, origin: Origin, target: str) -> Card:
    """Create a version in state `training`, numbered after the highest one, and return its card."""
    files.folder(model).mkdir(parents=True, exist_ok=True)
    number = max(files.numbers(model), default=0) + 1
    while True:
        with suppress(FileExistsError):  # mkdir gives a number to one process only
            files.folder(model, number).mkdir()
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
    """Save a card with its seal. Readers see the old card or the new one."""
    files.write(files.folder(card.model, card.version) / files.CARD, seal.sealed(card.model_dump_json(by_alias=True)))


def read(model: str, version: int) -> Card:
    """Return the card of a version. Raise NotFound, and Conflict if the card is not valid."""
    return _card(model, version, _card_file(model, version))


def read_ready(model: str, version: int) -> Card:
    """Return the card of a version that may be served.

    Raise NotFound, and Conflict if the version is not ready or its card was changed after it was published.
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
    """Seal the cards that have no seal, such as those of older releases, and return their versions' numbers."""
    sealed = []
    with files.locked(model):
        for version in versions(model):
            with suppress(Conflict, NotFound):
                data = _card_file(model, version)
                _card(model, version, data)
                if not seal.has_seal(data):
                    files.write(files.folder(model, version) / files.CARD, seal.sealed(data.decode()))
                    sealed.append(version)
    return sealed


def cards(model: str) -> list[Card]:
    """Return the cards of all versions, newest first, without those that can't be read."""
    readable = []
    for version in versions(model):
        with suppress(Conflict, NotFound):
            readable.append(read(model, version))
    return readable


def versions(model: str) -> list[int]:
    """Return the numbers of all versions, newest first, including failed ones and those in training."""
    return sorted((n for n in files.numbers(model) if (files.folder(model, n) / files.CARD).exists()), reverse=True)


def current(model: str) -> int | None:
    """Return the number of the live version, None if there is none yet. Raise Conflict if the pointer is not valid."""
    path = files.folder(model) / files.POINTER
    try:
        return int(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise Conflict(
            f"{path} does not contain a version number; promote a version with PUT /models/{model}/current"
        ) from None


def live(model: str) -> Card:
    """Return the card of the live version. Raise NotReady if there is none, NotFound and Conflict as `read` does."""
    version = current(model)
    if version is None:
        raise NotReady(f"The model {model} has no version yet; train it with POST /train_model and model={model}")
    return read(model, version)


def _card_file(model: str, version: int) -> bytes:
    try:
        return (files.folder(model, version) / files.CARD).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{model} has no version {version}; its versions are {versions(model) or 'none yet'}") from None


def _card(model: str, version: int, data: bytes) -> Card:
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        raise Conflict(f"The card of version {version} of {model} can't be read: {error.errors()[0]['msg']}") from None
