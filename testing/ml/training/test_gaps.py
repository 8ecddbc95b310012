"""Columns that may be missing in a request, found with few predictions."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ML.prediction import predictor
from ML.schema import schema_learning
from ML.schema.target import Target
from ML.training.stages import gaps
from ML.versions.card import Card

ROWS = 30
ONE_IMPUTED = make_column_transformer((SimpleImputer(), ["n"]), ("passthrough", ["m"]))


class Counted:
    """A model that counts its calls."""

    def __init__(self, model):
        self.model, self.calls = model, 0

    def predict(self, X):
        self.calls += 1
        return self.model.predict(X)


class Needs:
    """A model that refuses rows where one of some columns is missing."""

    def __init__(self, *names):
        self.names = list(names)

    def predict(self, X):
        if X[self.names].isna().any(axis=None):
            raise RuntimeError("missing")
        return np.zeros(len(X))


class FillsFromOtherRows(Needs):
    """A model that fills a missing value in with the column's mean, which a single row does not have."""

    def predict(self, X):
        return super().predict(X.fillna(X.mean()))


def numbers(count):
    """Return a schema of number columns c0, c1, ..., and rows without a missing value."""
    rng = np.random.default_rng(0)
    return schema_learning.learn([f"c{i}" for i in range(count)], rng.normal(size=(count, ROWS)).astype(str).tolist())


def learn(model, features, X):
    """Return the names of the columns that may be missing, and how often the model was called."""
    wanted = Target(name="y", task="regression", type="number")
    card = Card(model="m", version=1, origin="command", target_variable="y", created=datetime.now(UTC),
                features=features, target=wanted)  # fmt: skip
    counted = Counted(model)
    columns = gaps.learn(predictor.make(card, counted), X)
    assert [column.model_copy(update={"gaps": False}) for column in columns] == [
        column.model_copy(update={"gaps": False}) for column in features.columns
    ]
    return {column.name for column in columns if column.gaps}, counted.calls


def one_by_one(model, features, X):
    """Return the names of the columns without which the model predicts the first row."""
    optional = set()
    for name in features.names:
        row = X.iloc[:1].copy()
        row[name] = row[name].where(row[name].isna(), np.nan)
        try:
            model.predict(row)
        except Exception:  # noqa: BLE001
            continue
        optional.add(name)
    return optional


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_a_model_that_takes_every_gap_is_called_twice(count):
    features, X = numbers(count)
    assert learn(Needs(), features, X) == (set(features.names), min(count, 2))


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_a_model_that_takes_no_gap_is_called_about_once_for_each_column(count):
    features, X = numbers(count)
    found, calls = learn(Needs(*features.names), features, X)
    assert not found and count <= calls <= count + math.log2(count) + 1


@pytest.mark.parametrize("needed", [[0], [999], [500], [3, 4, 5], [17, 400, 998]])
def test_a_model_that_needs_a_few_of_1000_columns_is_called_a_few_dozen_times(needed):
    features, X = numbers(1000)
    found, calls = learn(Needs(*(f"c{i}" for i in needed)), features, X)
    assert set(features.names) - found == {f"c{i}" for i in needed}
    assert calls <= len(needed) * 4 * math.log2(1000) + 2


def test_alternate_columns_are_told_apart():
    features, X = numbers(50)
    assert learn(Needs(*features.names[::2]), features, X)[0] == set(features.names[1::2])


def test_wide_tables_are_asked_in_parts(monkeypatch):
    features, X = numbers(40)
    monkeypatch.setattr(gaps, "MAX_CELLS", 400)
    assert learn(Needs(), features, X) == (set(features.names), 8)
    monkeypatch.setattr(gaps, "MAX_CELLS", 1)
    assert learn(Needs(), features, X) == (set(features.names), 40)


def test_a_gap_that_only_other_rows_can_fill_is_not_allowed():
    features, X = numbers(20)
    assert learn(FillsFromOtherRows("c3", "c12"), features, X)[0] == set(features.names) - {"c3", "c12"}


def test_a_column_with_gaps_in_training_keeps_them_and_is_not_asked_for():
    features, X = schema_learning.learn(["a", "b"], [["1", "", "3"], ["x", "y", "x"]])
    assert learn(Needs("a", "b"), features, X)[0] == {"a"}


@pytest.mark.parametrize(
    ("model", "optional"),
    [
        (HistGradientBoostingRegressor(max_iter=2), {"n", "m"}),
        (make_pipeline(SimpleImputer(), LinearRegression()), {"n", "m"}),
        (LinearRegression(), set()),
        (make_pipeline(ONE_IMPUTED, LinearRegression()), {"n"}),
    ],
    ids=["every gap", "imputed", "no gap", "one imputed"],
)
def test_pipelines_are_answered_as_one_by_one(model, optional):
    features, X = schema_learning.learn(["n", "m"], [[str(i) for i in range(ROWS)], [str(i * i) for i in range(ROWS)]])
    model.fit(X, np.arange(ROWS))
    assert learn(model, features, X)[0] == one_by_one(model, features, X) == optional


@pytest.mark.parametrize(("strict", "optional"), [("error", {"n"}), ("ignore", {"n", "t"})])
def test_text_that_an_encoder_never_saw_missing(strict, optional):
    features, X = schema_learning.learn(["n", "t"], [[str(i) for i in range(ROWS)], list("ab") * (ROWS // 2)])
    encoder = OneHotEncoder(handle_unknown=strict)
    model = make_pipeline(make_column_transformer((encoder, ["t"]), (SimpleImputer(), ["n"])), LinearRegression())
    model.fit(X, np.arange(ROWS))
    assert learn(model, features, X)[0] == one_by_one(model, features, X) == optional
