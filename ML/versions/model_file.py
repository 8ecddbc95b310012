"""The file of a fitted model: skops, which runs no code from the file, or joblib if ALLOW_JOBLIB is set."""

import hashlib
import importlib
import os
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED

import joblib
import skops.io

from ML.config.config import settings
from ML.errors import Problem

SKOPS, JOBLIB = "model.skops", "model.joblib"
PACKAGES = ("sklearn.", "ML.src.")
TYPES = frozenset({"numpy.dtype"})


class Untrusted(Problem):
    """A model file that must not be loaded, or an estimator that must not be saved."""

    status = 422


def save(model: Any, folder: Path) -> tuple[str, str]:
    """Write the model into the folder, and return the file's name and SHA-256. Raise Untrusted."""
    try:
        data = skops.io.dumps(model, compression=ZIP_DEFLATED)
        refused = _refused(skops.io.get_untrusted_types(data=data))
    except Exception as error:  # noqa: BLE001 - skops runs the user's objects, which may raise anything
        data, refused = b"", [f"{type(error).__name__}: {error}"]
    if refused and not settings().allow_joblib:
        raise Untrusted(
            f"skops can't save this estimator safely ({', '.join(refused)}); "
            "name its types in TRUSTED_TYPES, or set ALLOW_JOBLIB=true"
        )
    path = folder / (JOBLIB if refused else SKOPS)
    if refused:
        _pickle(model, path)
    else:
        path.write_bytes(data)
    return path.name, sync_and_hash(path)


def sync_and_hash(path: Path) -> str:
    """Flush a file to disk, and return its SHA-256."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path, sha256: str) -> Any:
    """Return the model in a file. Raise Untrusted, before its code runs, if its bytes or types are not trusted."""
    if path.name == JOBLIB and not settings().allow_joblib:
        raise Untrusted(f"{path} is a pickle, which can run any code; set ALLOW_JOBLIB=true if you trust it")
    data = read(path, sha256)
    return joblib.load(path) if path.name == JOBLIB else _load_skops(path, data)


def _load_skops(path: Path, data: bytes) -> Any:
    try:
        untrusted = skops.io.get_untrusted_types(data=data)
    except Exception as error:
        raise Untrusted(f"{path} can't be read by skops ({error}); train again or roll back") from error
    if refused := _refused(untrusted):
        raise Untrusted(
            f"{path} has types that are not trusted ({', '.join(refused)}); name them in TRUSTED_TYPES if you know them"
        )
    return skops.io.loads(data, trusted=untrusted)


def read(path: Path, sha256: str) -> bytes:
    """Return the bytes of a published file. Raise Untrusted if they have changed since."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Untrusted(f"{path} can't be read ({error.strerror}); train again or roll back") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Untrusted(f"{path} is not the file that was published: its SHA-256 differs; train again or roll back")
    return data


def _pickle(model: Any, path: Path) -> None:
    try:
        joblib.dump(model, path)
    except Exception as error:
        path.unlink()
        raise Untrusted(f"Neither skops nor joblib can save this estimator: {error}") from error


def _refused(names: list[str]) -> list[str]:
    return [name for name in names if not _trusted(name)]


def _trusted(name: str) -> bool:
    """Return whether a type belongs to scikit-learn or ML.src, or is named in TRUSTED_TYPES."""
    if name in TYPES or name in settings().trusted_types:
        return True
    if not name.startswith(PACKAGES):
        return False
    module, _, attribute = name.rpartition(".")
    try:
        value = getattr(importlib.import_module(module), attribute, None)
    except (ImportError, ValueError):
        return False
    # A module also has the names that it imports: sklearn.x.load must not stand for joblib.load.
    own = getattr(value, "__module__", "").startswith(PACKAGES)
    return own and (isinstance(value, type) or name.startswith("ML.src."))
