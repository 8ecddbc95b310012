"""Finds the converter of a class of scikit-learn: the function that appends its nodes to a graph."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ML.compiler.graph import Columns, Graph, Unsupported

Outputs = dict[str, str]
"""Tensors: `label`, places in the classes, (rows,), and `probabilities` (rows, classes); or `value` (rows, 1)."""

Transformer = Callable[[Graph, Any, Columns], Columns]
Estimator = Callable[[Graph, Any, Columns], Outputs]
T = TypeVar("T")

TRANSFORMERS: dict[type, Transformer] = {}
ESTIMATORS: dict[type, Estimator] = {}


def transformer(*classes: type) -> Callable[[Transformer], Transformer]:
    """Register the decorated function as the converter of these transformers."""
    return _into(TRANSFORMERS, classes)


def estimator(*classes: type) -> Callable[[Estimator], Estimator]:
    """Register the decorated function as the converter of these estimators."""
    return _into(ESTIMATORS, classes)


def transformed(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append the nodes of a fitted transformer and return its columns. Raise Unsupported."""
    if model is None or isinstance(model, str):  # scikit-learn's "drop" and "passthrough"
        return [] if model == "drop" else columns
    return _of(TRANSFORMERS, model)(graph, model, columns)


def answered(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes of a fitted estimator and return its outputs. Raise Unsupported."""
    return _of(ESTIMATORS, model)(graph, model, columns)


def _into(registry: dict[type, T], classes: tuple[type, ...]) -> Callable[[T], T]:
    def register(function: T) -> T:
        registry.update(dict.fromkeys(classes, function))
        return function

    return register


def _of(registry: Mapping[type, T], model: Any) -> T:
    for cls in type(model).__mro__:
        if cls in registry:
            return registry[cls]
    raise Unsupported(f"{type(model).__name__} has no compiled form")
