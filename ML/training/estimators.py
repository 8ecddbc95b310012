"""The estimators that users define in ML/src, one module for each model."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ML.config.config import ROOT
from ML.errors import NotFound, Problem
from ML.schema.target import Task
from ML.versions import catalog

DATA = ROOT / "ML" / "data"


class Estimator(NamedTuple):
    """What a module of ML/src defines."""

    name: str
    build: Callable[[], Any]
    """Returns a new, unfitted estimator."""
    score: Callable[[Any, Any, NDArray[Any]], dict[str, float]]
    """Returns scores by name for a model, features and targets; the first is the primary score."""
    sample: tuple[Path, str] | None
    """A CSV file and its target, trained when the server starts."""


class Broken(Problem):
    """A module of ML/src that can't be imported, or does not define what it must."""

    status = 500


def load(name: str) -> Estimator:
    """Return the estimator of a model. Raise NotFound, and Broken if its module can't be used."""
    try:
        module = importlib.import_module(f"ML.src.{catalog.check(name)}")
        build, score = module.build, module.score
    except (NotFound, SystemExit):
        raise
    except Exception as error:
        raise Broken(f"ML/src/{name}.py can't be used: {type(error).__name__}: {error}") from error
    sample = getattr(module, "SAMPLE", None)
    return Estimator(name, build, score, (DATA / sample[0], sample[1]) if sample else None)


def task(model: Any) -> Task | None:
    """Return the task by what the estimator declares, None if it is a plain object with only fit and predict."""
    from sklearn.base import is_classifier, is_regressor  # takes two seconds to import; most starts train nothing

    if hasattr(model, "predict_proba"):
        return "classification"
    if not hasattr(model, "__sklearn_tags__"):
        return None
    return "classification" if is_classifier(model) else "regression" if is_regressor(model) else None
