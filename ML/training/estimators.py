"""The estimators in ML/src: one module for each model, found by its name. Nothing is registered anywhere."""

import hashlib
import importlib
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ML.config.config import ROOT
from ML.errors import NotFound, Problem
from ML.schema.target import Task

SOURCE = ROOT / "ML" / "src"
DATA = ROOT / "ML" / "data"
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "onnxruntime")


class Estimator(NamedTuple):
    """What a module in ML/src defines."""

    name: str
    build: Callable[[], Any]
    score: Callable[[Any, Any, NDArray[Any]], dict[str, float]]
    sample: tuple[Path, str] | None


class Broken(Problem):
    """A module of ML/src that can't be imported, or lacks what it must define."""

    status = 500


def names() -> list[str]:
    """The models: the files of ML/src, less those whose name begins with an underscore."""
    return sorted(path.stem for path in SOURCE.glob("*.py") if not path.stem.startswith("_"))


def check(name: str) -> str:
    """The name, if there is such a model. Raises NotFound."""
    if name not in names():
        raise NotFound(f"There is no model {name}; there are {', '.join(names())}")
    return name


def load(name: str) -> Estimator:
    """The estimator of a model. Raises NotFound, and Broken where its module can't be used."""
    try:
        module = importlib.import_module(f"ML.src.{check(name)}")
        build, score = module.build, module.score
    except (NotFound, SystemExit):
        raise
    except Exception as error:
        raise Broken(f"ML/src/{name}.py can't be used: {type(error).__name__}: {error}") from error
    sample = getattr(module, "SAMPLE", None)
    return Estimator(name, build, score, (DATA / sample[0], sample[1]) if sample else None)


def task(model: Any) -> Task | None:
    """What an estimator says of itself; None for a plain object with only fit and predict."""
    from sklearn.base import is_classifier, is_regressor  # takes seconds, and not every start needs it

    if hasattr(model, "predict_proba"):
        return "classification"
    if not hasattr(model, "__sklearn_tags__"):
        return None
    return "classification" if is_classifier(model) else "regression" if is_regressor(model) else None


def libraries() -> dict[str, str]:
    """The versions of the libraries that decide what a model answers, and how: without the last scikit-learn serves."""
    found = {}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def fingerprint(data: bytes, target: str) -> str:
    """SHA-256 over all that decides what a training gives: data, target, the code of ML/src, the libraries."""
    parts = (target, libraries(), hashlib.sha256(data).hexdigest(), code())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def outdated(source: str) -> bool:
    """Whether ML/src has changed since a version was trained whose card has this `source`."""
    return bool(source) and source != code()


def code() -> str:
    """SHA-256 over the files of ML/src."""
    files = [(path.name, path.read_bytes()) for path in sorted(SOURCE.glob("*.py"))]
    return hashlib.sha256(repr(files).encode()).hexdigest()
