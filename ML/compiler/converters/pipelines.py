"""Converters for estimators made of others: steps in a row and side by side."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from ML.compiler.converters.registry import Outputs, answered, estimator, transformed, transformer
from ML.compiler.graph import Columns, Graph, Unsupported


@transformer(Pipeline)
def pipeline(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append the nodes of each step."""
    for _, step in model.steps:
        columns = transformed(graph, step, columns)
    return columns


@estimator(Pipeline)
def whole(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes of each step and of the estimator."""
    for _, step in model.steps[:-1]:
        columns = transformed(graph, step, columns)
    return answered(graph, model.steps[-1][1], columns)


@estimator(GridSearchCV, RandomizedSearchCV)
def search(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes of the best estimator."""
    return answered(graph, model.best_estimator_, columns)


@transformer(ColumnTransformer)
def by_column(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append the nodes of each transformer for its columns."""
    _refuse_weights(model)
    result = []
    for _, step, chosen in model.transformers_:
        if places := _places(model, chosen):
            result += transformed(graph, step, [columns[place] for place in places])
    return result


def _places(model: Any, chosen: Any) -> list[int]:
    """Return the places of a transformer's columns, which are names or places: one, a list, a slice or a mask."""
    # A model without feature names has no columns that were chosen by name.
    every = pd.Series(range(model.n_features_in_), getattr(model, "feature_names_in_", None))
    if isinstance(chosen, slice):
        keys: Any = [chosen.start, chosen.stop]
    else:
        keys = chosen = np.atleast_1d(chosen).tolist()
    named = any(isinstance(key, str) for key in keys)
    places: list[int] = (every.loc[chosen] if named else every.iloc[chosen]).tolist()
    return places


@transformer(FeatureUnion)
def union(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append the nodes of each transformer for all columns."""
    _refuse_weights(model)
    return [column for _, step in model.transformer_list for column in transformed(graph, step, columns)]


def _refuse_weights(model: Any) -> None:
    if model.transformer_weights:
        raise Unsupported(f"{type(model).__name__} with transformer_weights has no compiled form")
