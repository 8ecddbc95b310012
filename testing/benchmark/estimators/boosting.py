"""The default classifier: histogram gradient boosting on numbers and ordinally encoded text with missing values."""

import numpy as np
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

SAMPLE = ("mixed_train.csv", "leaves")


def build():
    text = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    columns = ColumnTransformer([("text", text, make_column_selector(dtype_exclude="number"))], remainder="passthrough")
    return make_pipeline(
        columns, HistGradientBoostingClassifier(l2_regularization=10, max_features=0.5, random_state=0)
    )


def score(model, X, y):
    return {"accuracy": accuracy_score(y, model.predict(X))}
