"""Models that answer a plain array as they answer a table with names: the table costs more than many predictions."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ML.schema.schema import Schema


def strip_feature_names(model: Any) -> None:
    """Takes `feature_names_in_` from a fitted model and all estimators in it: then it takes arrays without warning."""
    seen, waiting = set(), [model]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, BaseEstimator):
            vars(value).pop("feature_names_in_", None)
            waiting += vars(value).values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()


def suits(model: Any, schema: Schema, X: pd.DataFrame) -> bool:
    """Whether a model that forgot its names takes an array of these rows at all; text wants a table."""
    if any(column.kind == "text" for column in schema.columns):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict(X.to_numpy())
    except Exception:  # noqa: BLE001 - whatever it raises, it wants its table
        return False
    return True


def array(columns: Any) -> NDArray[np.float64]:
    """Converted values, a sequence for each column, as an array of shape (rows, columns)."""
    return np.ascontiguousarray(np.array(columns, dtype=float).T)
