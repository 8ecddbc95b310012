"""The estimators in ML/src: one module for each model, found by its name. Nothing is registered anywhere."""

import hashlib
import importlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor

from ML.config.config import ROOT
from ML.errors import NotFound
from ML.target import Task

SOURCE = ROOT / "ML" / "src"
DATA = ROOT / "ML" / "data"
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "skops")


class Estimator(NamedTuple):
    """What a module in ML/src defines."""

    name: str
    build: Callable[[], Any]
    score: Callable[[Any, Any, NDArray[Any]], dict[str, float]]
    sample: tuple[Path, str] | None


def names() -> list[str]:
    """The models: the files of ML/src, less those whose name begins with an underscore."""
    return sorted(path.stem for path in SOURCE.glob("*.py") if not path.stem.startswith("_"))


def check(name: str) -> str:
    """The name, if there is such a model. Raises NotFound."""
    if name not in names():
        raise NotFound(f"There is no model {name}; there are {', '.join(names())}")
    return name


def load(name: str) -> Estimator:
    """The estimator of a model. Raises NotFound, and whatever its module raises when it is imported."""
    module = importlib.import_module(f"ML.src.{check(name)}")
    sample = getattr(module, "SAMPLE", None)
    return Estimator(name, module.build, module.score, (DATA / sample[0], sample[1]) if sample else None)


def task(model: Any) -> Task | None:
    """What an estimator says of itself; None for a plain object with only fit and predict."""
    if hasattr(model, "predict_proba"):
        return "classification"
    if not hasattr(model, "__sklearn_tags__"):
        return None
    return "classification" if is_classifier(model) else "regression" if is_regressor(model) else None


def libraries() -> dict[str, str]:
    """The versions of the libraries that decide what a model answers."""
    return {name: metadata.version(name) for name in LIBRARIES}


def fingerprint(data: bytes, target: str) -> str:
    """SHA-256 over all that decides what a training gives: data, target, the code of ML/src, the libraries."""
    digest = hashlib.sha256(repr((target, libraries())).encode())
    digest.update(hashlib.sha256(data).digest())
    for path in sorted(SOURCE.glob("*.py")):
        digest.update(repr((path.name, path.read_bytes())).encode())
    return digest.hexdigest()
