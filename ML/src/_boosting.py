"""Gradient boosting for tables of any size, and the encoding that it needs: shared by the models beside it."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import OrdinalEncoder

LARGE = 10_000
"""More rows than this pay for more rounds. It is also where scikit-learn begins to stop early."""
MOST_TREES = 10_000
"""A round is a tree for each class, so that hundreds of classes would take hours."""


def encoder() -> ColumnTransformer:
    """Numbers pass as they are, gaps too; text becomes its place in alphabetical order, text never seen a gap."""
    text = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return ColumnTransformer([("text", text, make_column_selector(dtype_exclude="number"))], remainder="passthrough")


class _AnySize(BaseEstimator):
    """Suits the parameters to the table: stock ones learn nothing from 30 rows and too little from 100,000."""

    def fit(self, X: Any, y: Any) -> Self:
        """Fit, and leave the parameters as they were given, so that a clone starts from the same."""
        X, y = np.asarray(X, dtype=float), np.asarray(y)
        # scikit-learn fails on a column of gaps; a constant is never split.
        X = np.where(np.isnan(X).all(axis=0), 0.0, X)
        classes, sizes = np.unique(y, return_counts=True) if is_classifier(self) else (y[:1], np.array([len(y)]))
        given = self.get_params()
        rounds = given["max_iter"] * (4 if len(X) > LARGE else 1)
        suited = {
            "max_iter": max(1, min(rounds, MOST_TREES // len(classes))),
            "min_samples_leaf": max(1, min(given["min_samples_leaf"], len(X) // 20)),
        }
        if len(X) > LARGE:
            # Each class is split between the rows that teach and those that tell when to stop: it needs two rows.
            alone = np.isin(y, classes[sizes == 1])
            X, y = np.concatenate([X, X[alone]]), np.concatenate([y, y[alone]])
            if len(classes) > len(X) // 10:
                suited["early_stopping"] = False
        try:
            self.set_params(**suited)
            super().fit(X, y)
        finally:
            self.set_params(**given)
        return self


class BoostingClassifier(_AnySize, HistGradientBoostingClassifier):
    """scikit-learn's, for tables of any size."""


class BoostingRegressor(_AnySize, HistGradientBoostingRegressor):
    """scikit-learn's, for tables of any size."""
