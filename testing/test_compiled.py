"""Compiled models answer like scikit-learn: common transformers and estimators, over tables of every make."""

import numpy as np
import pytest
from fitted import people
from hypothesis import given, reject
from hypothesis import strategies as st
from made_up import examples, tables
from pipelines import EVERY, PREPARATIONS, alike, answered, build, fit
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from ML.src import classifier, regressor


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


@pytest.mark.alone
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
    for model in (PoissonRegressor(), HistGradientBoostingRegressor(loss="poisson", max_iter=10)):
        assert fit(make_pipeline(PREPARATIONS["scaled"](), model), table, "regression").proven().rows > 1500


def test_many_rows_are_answered_in_pieces_as_one_by_one():
    found = fit(make_pipeline(PREPARATIONS["scaled"](), SVC()), people(), "classification")
    made, _ = found.converted()
    rows = [column * 20 for column in found.X.T.to_numpy().tolist()]
    answer = made.predict(made.table(rows)).predictions
    assert len(answer) == 2400 and answer == answer[:120] * 20 == answered(found.original, rows)[0]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("task", ["classification", "regression"])
@examples(120, 12)
@given(st.data())
def test_a_random_pipeline_over_a_random_table_answers_like_scikit_learn_or_is_not_used(tmp_path, task, data):
    """The table is odd on purpose: what differs by rounding alone may be refused by the proof, but never be served."""
    table = data.draw(tables("classifier" if task == "classification" else "regressor"))
    names = [name for each, name in EVERY if each == task]
    prepared = data.draw(st.sampled_from(sorted(PREPARATIONS)))
    model = make_pipeline(PREPARATIONS[prepared](), build(task, data.draw(st.sampled_from(names))))
    try:
        found = fit(model, table, task)
    except (ValueError, TypeError, np.linalg.LinAlgError):
        reject()
    entry = found.published(tmp_path)
    assert entry.used or entry.why
    if not entry.used:
        return
    made, _ = found.converted()
    other = data.draw(tables("classifier" if task == "classification" else "regressor"))
    for rows in (found.X, found.X.sample(frac=1, random_state=1)):
        columns = [rows.iloc[:, place].tolist() for place in range(rows.shape[1])]
        for place, column in enumerate(found.original.schema.columns):
            if column.kind == "number" and "n" in other:
                columns[place] = [float(value) * 1.7 for value in other["n"]][: len(rows)]
                columns[place] += rows.iloc[len(columns[place]) :, place].tolist()
        for want, have in zip(answered(found.original, columns), answered(made, columns), strict=True):
            assert alike(want, have)
