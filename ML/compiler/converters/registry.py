"""Which function appends the nodes of which class of scikit-learn."""

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
    """Marks the function that appends the nodes of these transformers."""
    return _into(TRANSFORMERS, classes)


def estimator(*classes: type) -> Callable[[Estimator], Estimator]:
    """Marks the function that appends the nodes of these estimators."""
    return _into(ESTIMATORS, classes)


def transformed(graph: Graph, model: Any, columns: Columns) -> Columns:
    """The columns after a fitted transformer. Raises Unsupported."""
    if model is None or isinstance(model, str):  # scikit-learn's words for nothing to do
        return [] if model == "drop" else columns
    return _of(TRANSFORMERS, model)(graph, model, columns)


def answered(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """What a fitted estimator answers. Raises Unsupported."""
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
