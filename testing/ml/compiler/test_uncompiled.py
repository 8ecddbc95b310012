"""Models that can't be compiled, or predict differently when compiled, are served by scikit-learn and say why."""

import numpy as np
import pytest
from fitted_models import encoder, people
from pipelines import PREPARATIONS, fit, imputed, mixed, predict_or_none, same_answers
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from ML.compiler import timing
from ML.compiler.graph import Unsupported
from ML.prediction.answers import CannotPredict

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: KNeighborsClassifier(), "KNeighborsClassifier has no compiled form"),
        (lambda: VotingClassifier([("a", SVC())]), "VotingClassifier has no compiled form"),
        (lambda: make_pipeline(FunctionTransformer(np.abs), SVC()), "FunctionTransformer with a function"),
        (lambda: SVC(kernel=lambda a, b: a @ b.T), "SVC with such a kernel"),
        (lambda: HistGradientBoostingClassifier(categorical_features=[0]), "categorical_features"),
        (lambda: GradientBoostingClassifier(init=LogisticRegression()), "init estimator"),
    ],
)
def test_a_model_without_a_compiled_form_says_why(model, said, tmp_path):
    entry = fit(make_pipeline(PREPARATIONS["scaled"](), model()), people(classes=2), "classification").published(
        tmp_path
    )
    assert not entry.used and said in entry.why and not list(tmp_path.iterdir())


class Rounding(LinearRegression):
    """Predicts differently from its base class."""

    def predict(self, X):
        return super().predict(X).round()


class Passing(StandardScaler):
    """Learns none of the attributes of its base class."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X, copy=None):
        return X


def test_a_class_that_answers_otherwise_than_its_parent_is_served_by_scikit_learn_and_noted(tmp_path):
    found = fit(make_pipeline(PREPARATIONS["scaled"](), Rounding()), people(classes=0), "regression")
    entry = found.published(tmp_path)
    assert not entry.used and "for rows of the training differ by" in entry.why
    assert found.original.card.notes == [f"it is not served compiled: {entry.why}"]
    assert not list(tmp_path.iterdir())


def test_a_converter_that_fails_does_not_fail_the_training(tmp_path):
    model = make_pipeline(mixed(imputed(), "drop"), Passing(), LinearRegression())
    entry = fit(model, people(classes=0), "regression").published(tmp_path)
    assert not entry.used and entry.why.startswith("It could not be compiled: AttributeError: ")
    assert not list(tmp_path.iterdir())


def test_a_compiled_form_that_is_slower_for_any_number_of_rows_is_not_used():
    faster, slower = {"original": 2.0, "compiled": 1.0}, {"original": 1.0, "compiled": 1.2}
    assert timing.slower({"1": faster, "10000": faster}) == ""
    said = timing.slower({"1": faster, "10000": slower})
    assert said == "It is slower: 10000 rows take 1.2 s compiled and 1.0 s as they are"


def test_text_that_meets_numbers_is_unsupported():
    found = fit(DecisionTreeClassifier(), {"n": [str(i) for i in range(20)], "y": ["a", "b"] * 10}, "classification")
    found.original.card.features = fit(
        encoder_only(), {"n": ["x", "y"] * 10, "y": ["a", "b"] * 10}, "classification"
    ).original.schema
    with pytest.raises(Unsupported, match="The text of n is not encoded"):
        found.converted()


def encoder_only():
    return make_pipeline(encoder(), DecisionTreeClassifier())


def test_a_value_that_the_encoder_refuses_is_refused_and_named():
    model = make_pipeline(mixed(imputed(), OneHotEncoder()), LogisticRegression(max_iter=20))
    found = fit(model, people(classes=2), "classification")
    made, _ = found.converted()
    row = [[value] for value in found.X.iloc[0].tolist()]
    want, have = predict_or_none(found.original, row), predict_or_none(made, row)
    assert None not in want and all(map(same_answers, want, have))
    row[5] = ["Atlantis"]
    with pytest.raises(CannotPredict, match="a value of town, grade was not in the training data"):
        made.predict(made.table(row))


@pytest.mark.parametrize("number", [1e39, -1e39, 1e308])
def test_a_number_that_float32_can_not_hold_is_refused_where_scikit_learn_refuses_it(number):
    found = fit(make_pipeline(encoder(), RandomForestClassifier(3)), people(), "classification")
    made, _ = found.converted()
    row = [[value] for value in found.X.iloc[0].tolist()]
    row[1] = [number]
    assert predict_or_none(found.original, row) == predict_or_none(made, row) == (None, None)
