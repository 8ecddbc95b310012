"""Numbers and text with missing values: imputed, scaled, one-hot encoded, then a logistic regression."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

SAMPLE = ("mixed_train.csv", "leaves")
NUMBERS = ["age", "income", "months", "visits", "balance"]
TEXTS = ["city", "plan", "device"]


def build():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("texts", OneHotEncoder(handle_unknown="ignore"), TEXTS)]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


def score(model, X, y):
    return {"accuracy": accuracy_score(y, model.predict(X))}
