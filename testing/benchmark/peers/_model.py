"""What the peers share: the model of a folder, asked about rows as JSON has them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Model:
    """A fitted estimator. Numbers alone go in as an array, as that is what scikit-learn is fastest with."""

    def __init__(self, folder: str) -> None:
        self.estimator = pickle.loads(Path(folder, "model.pkl").read_bytes())
        self.framed = hasattr(self.estimator, "feature_names_in_")

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """A label for each row."""
        X = pd.DataFrame(rows) if self.framed else np.array([list(row.values()) for row in rows])
        labels: list[Any] = self.estimator.predict(X).tolist()
        return labels
