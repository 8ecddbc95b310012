"""Lets models predict from plain arrays: building a DataFrame often takes longer than the prediction."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ML.schema.schema import Schema


def strip_feature_names(model: Any) -> None:
    """Delete `feature_names_in_` of a fitted model and all estimators in it, so that arrays cause no warning."""
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
    """Return whether a model without feature names predicts from an array of these rows. Text needs a DataFrame."""
    if any(column.kind == "text" for column in schema.columns):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict(X.to_numpy())
    except Exception:  # noqa: BLE001 - whatever it raises, it needs a DataFrame
        return False
    return True


def array(columns: Any) -> NDArray[np.float64]:
    """Return converted values (a sequence per column) as an array, shape (rows, columns)."""
    return np.ascontiguousarray(np.array(columns, dtype=float).T)
