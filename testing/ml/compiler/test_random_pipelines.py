"""Random pipelines over random tables: the compiled form predicts like scikit-learn, or is not used."""

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pipelines import EVERY, PREPARATIONS, build, fit, predict_or_none, same_answers
from sklearn.pipeline import make_pipeline
from strategies import examples, tables

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_coverage")]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("task", ["classification", "regression"])
@examples(60, 12)
@given(st.data())
def test_a_random_pipeline_over_a_random_table_answers_like_scikit_learn_or_is_not_used(tmp_path, task, data):
    """The tables are unusual on purpose. The proof may refuse rounding differences, but none may be served."""
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
        for want, have in zip(predict_or_none(found.original, columns), predict_or_none(made, columns), strict=True):
            assert same_answers(want, have)
