"""Finds the columns that may be missing in a request."""

import numpy as np
import pandas as pd

from ML.prediction.predictor import Predictor
from ML.schema.schema import Column


def learn(fitted: Predictor, X: pd.DataFrame) -> tuple[Column, ...]:
    """Return the model's columns, each with `gaps` set if it may be missing.

    It may be if it was missing in a row of the training, or if the model predicts a row without it.
    """

    def predicts(name: str) -> bool:
        row = X.iloc[:1].copy()
        row[name] = row[name].where(row[name].isna(), np.nan)
        try:
            fitted.predict(row)
        except Exception:  # noqa: BLE001 - whatever the pipeline raises, it needs this column
            return False
        return True

    return tuple(c if c.gaps else c.model_copy(update={"gaps": predicts(c.name)}) for c in fitted.schema.columns)
