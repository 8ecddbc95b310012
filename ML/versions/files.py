"""The files of the store: `<models_dir>/<model>/<version>/`, locks across processes, and atomic writes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ML.config.config import settings

CARD = "card.json"
"""In a version's folder: what is known of the version."""
POINTER = "current"
"""In a model's folder: the number of the live version."""
UPLOAD = "upload.csv"
"""In the folder of a version that is in training: its table, until the training has read it."""
STOP = "stop"
"""In the folder of a version that is in training: an empty file that asks the training to stop."""


def folder(model: str, version: int | None = None) -> Path:
    """Return the folder of a model, or of one of its versions."""
    path = settings().models_dir / model
    return path if version is None else path / str(version)


def numbers(model: str) -> list[int]:
    """Return the numbers of all version folders, in no order, with or without a card."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return [int(path.name) for path in folder(model).iterdir() if path.name.isascii() and path.name.isdigit()]
    return []


@contextmanager
def locked(model: str, name: str = "lock", wait: bool = True) -> Iterator[int]:
    """Hold a lock of a model across processes, and yield its file descriptor. A subprocess that inherits it holds it.

    Raise BlockingIOError if another process holds the lock and `wait` is false.
    """
    path = folder(model) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # the disk is full or read-only; a lock file that exists can be locked nevertheless
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)


def write(path: Path, text: str) -> None:
    """Replace a file atomically: readers see the old text or the new one, even after a crash."""
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
