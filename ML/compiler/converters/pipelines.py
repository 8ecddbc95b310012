"""Steps one after another, and steps side by side."""

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from ML.compiler.converters.registry import Outputs, answered, estimator, transformed, transformer
from ML.compiler.graph import Columns, Graph, Unsupported


@transformer(Pipeline)
def pipeline(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Step by step."""
    for _, step in model.steps:
        columns = transformed(graph, step, columns)
    return columns


@estimator(Pipeline)
def whole(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Step by step, and the estimator."""
    for _, step in model.steps[:-1]:
        columns = transformed(graph, step, columns)
    return answered(graph, model.steps[-1][1], columns)


@estimator(GridSearchCV, RandomizedSearchCV)
def search(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """The best that was found."""
    return answered(graph, model.best_estimator_, columns)


@transformer(ColumnTransformer)
def by_column(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Each transformer its columns."""
    _refuse_weights(model)
    places = model._transformer_to_input_indices
    return [
        column
        for name, step, _ in model.transformers_
        for column in (transformed(graph, step, [columns[i] for i in places[name]]) if len(places[name]) else [])
    ]


@transformer(FeatureUnion)
def union(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Each transformer all columns."""
    _refuse_weights(model)
    return [column for _, step in model.transformer_list for column in transformed(graph, step, columns)]


def _refuse_weights(model: Any) -> None:
    if model.transformer_weights:
        raise Unsupported(f"{type(model).__name__} with transformer_weights has no compiled form")
