"""Shared by the peers: loads the model of a folder, and predicts rows parsed from JSON."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Model:
    """A fitted estimator. Rows of numbers become an array, as scikit-learn is fastest with one."""

    def __init__(self, folder: str) -> None:
        self.estimator = pickle.loads(Path(folder, "model.pkl").read_bytes())
        self.framed = hasattr(self.estimator, "feature_names_in_")

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return a label for each row."""
        X = pd.DataFrame(rows) if self.framed else np.array([list(row.values()) for row in rows])
        labels: list[Any] = self.estimator.predict(X).tolist()
        return labels
