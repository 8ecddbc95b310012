"""The classifier: yours to edit. Whatever has fit and predict will do in `build`, preprocessing included.

Why gradient boosting: it takes gaps and text as they come, and needs no scaling. Cross-validated over 25 tables of 110
to 10,000 rows it had the best mean accuracy (0.847; a random forest 0.841, logistic regression 0.813) and log loss
(0.379; 0.424 and 0.430). Of 80,000 rows of 30 columns it keeps 4 MB, where a forest of 100 trees keeps 80.
"""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import Pipeline

from ML.src._boosting import BoostingClassifier, encoder

SAMPLE = ("train.csv", "species")
"""The file in ML/data that an empty store is trained from, and its target."""


def build() -> Pipeline:
    """The pipeline, unfitted."""
    boost = BoostingClassifier(l2_regularization=10, max_features=0.5, random_state=0)
    return Pipeline([("encode", encoder()), ("boost", boost)])


def score(model: Any, X: Any, y: Any) -> dict[str, float]:
    """How good the model is on these rows. The first is the primary score: higher is better."""
    predicted = model.predict(X)
    # The mean recall of the classes that are there; balanced_accuracy_score warns when some are not.
    balanced = recall_score(y, predicted, labels=np.unique(y), average="macro", zero_division=0)
    return {"accuracy": accuracy_score(y, predicted), "balanced_accuracy": balanced}
