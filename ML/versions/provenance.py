"""What a version was trained from: its table and target, the code in ML/src, the libraries."""

import hashlib
from contextlib import suppress
from importlib import metadata

from ML.versions import catalog

LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "onnxruntime")
"""Packages that decide what a model predicts, and how it is served."""


def libraries() -> dict[str, str]:
    """Return the installed version of each of LIBRARIES, without those that are not installed."""
    versions = {}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def fingerprint(data: bytes, target: str) -> str:
    """Return a SHA-256 over all that a training depends on: the table, the target, ML/src and the libraries."""
    parts = (target, libraries(), hashlib.sha256(data).hexdigest(), code())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def code() -> str:
    """Return a SHA-256 over the files of ML/src."""
    files = [(path.name, path.read_bytes()) for path in sorted(catalog.SOURCE.glob("*.py"))]
    return hashlib.sha256(repr(files).encode()).hexdigest()


def outdated(source: str) -> bool:
    """Return whether ML/src has changed since a version was trained, by the `source` of its card."""
    return bool(source) and source != code()
