"""Compiled models predict like scikit-learn, for its common transformers and estimators and all kinds of tables."""

import numpy as np
import pytest
from fitted_models import people
from pipelines import EVERY, PREPARATIONS, build, fit, imputed, mixed, predict_or_none
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import GammaRegressor, LinearRegression, PoissonRegressor, TweedieRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

from ML.src import classifier, regressor

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("task", "name", "classes"),
    [(task, name, classes) for task, name in EVERY for classes in ((0,) if task == "regression" else (2, 4))],
)
def test_an_estimator_is_compiled_and_proven_on_a_mixed_table(task, name, classes):
    table = people(classes=classes)
    # Some learn nothing from columns that depend on each other.
    prepared = PREPARATIONS["components" if name in ("discriminant", "bayes") else "scaled"]()
    found = fit(make_pipeline(prepared, build(task, name)), table, task)
    assert found.proven().rows > 1500


@pytest.mark.parametrize("name", PREPARATIONS)
@pytest.mark.parametrize("estimator", ["forest", "ridge"])
def test_a_preparation_is_compiled_and_proven_on_a_mixed_table(name, estimator):
    for task in ("classification", "regression"):
        table = people(classes=2 if task == "classification" else 0)
        if name == "targets":
            table["y"] = [str("abcdef".find(y[0])) for y in table["y"]] if task == "classification" else table["y"]
        found = fit(make_pipeline(PREPARATIONS[name](), build(task, estimator)), table, task)
        assert found.proven().rows > 1500


@pytest.mark.exclusive
@pytest.mark.parametrize("module", [classifier, regressor])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_default_models_are_served_compiled(module, classes, tmp_path):
    task = "classification" if module is classifier else "regression"
    found = fit(module.build(), people(300, classes if task == "classification" else 0), task)
    entry = found.published(tmp_path)
    assert entry.used and not entry.why and entry.difference < 1e-9
    assert entry.rows > 2000 and (tmp_path / entry.file).stat().st_size
    assert entry.seconds["1"]["compiled"] < entry.seconds["1"]["original"] / 20


def test_regressors_with_a_link_are_compiled():
    table = people(classes=0)
    table["y"] = [str(abs(float(y))) for y in table["y"]]
    for model in (
        PoissonRegressor(),
        GammaRegressor(),
        *(TweedieRegressor(power=power, link=link) for power, link in ((0, "auto"), (1.5, "auto"), (0, "log"))),
        *(
            HistGradientBoostingRegressor(loss=loss, quantile=0.5, max_iter=10)
            for loss in ("poisson", "gamma", "absolute_error", "quantile")
        ),
    ):
        assert fit(make_pipeline(PREPARATIONS["scaled"](), model), table, "regression").proven().rows > 1500


@pytest.mark.parametrize(
    "chosen",
    [
        ["age", "fare", "rooms"],
        ("fare",),
        slice("age", "rooms"),
        slice(None, 3),
        [0, 2, -4],
        np.array([1, 2]),
        [True, False, True, False, False, False, False],
        np.array([True, True, False, False, False, False, False]),
        [],
    ],
    ids=str,
)
def test_columns_may_be_chosen_by_name_place_slice_or_mask(chosen):
    # Where all columns are chosen by name, so is the remainder.
    words = ["town", "grade"] if isinstance(chosen, list) and "age" in chosen else slice(5, 7)
    model = ColumnTransformer(
        [("chosen", SimpleImputer(), chosen), ("dropped", "drop", words)], remainder=SimpleImputer()
    )
    found = fit(make_pipeline(model, LinearRegression()), people(classes=0), "regression")
    assert found.proven().rows > 1500


@pytest.mark.parametrize(
    "options",
    [
        {"drop": "if_binary"},
        {"drop": "first"},
        {"drop": "first", "max_categories": 2},
        {"drop": "if_binary", "max_categories": 2},
        {"min_frequency": 25},
        {"max_categories": 1},
    ],
    ids=str,
)
def test_one_hot_encoders_may_drop_and_group_categories(options):
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, **options)
    model = make_pipeline(mixed(imputed(), encoder), LinearRegression())
    assert fit(model, people(classes=0), "regression").proven().rows > 1500


def test_many_rows_are_answered_in_pieces_as_one_by_one():
    found = fit(make_pipeline(PREPARATIONS["scaled"](), SVC()), people(), "classification")
    made, _ = found.converted()
    rows = [column * 20 for column in found.X.T.to_numpy().tolist()]
    answer = made.predict(made.table(rows)).predictions
    assert len(answer) == 2400 and answer == answer[:120] * 20 == predict_or_none(found.original, rows)[0]
