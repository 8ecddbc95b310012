"""Held-out rows: the same in every upload, about the requested share, and never a whole class."""

import numpy as np
import pandas as pd
import pytest

from ML.schema import schema_learning
from ML.training.stages import holdout


def table(rows=1000, seed=0):
    rng = np.random.default_rng(seed)
    text = rng.choice(np.array(["a", "b", "c"], dtype=object), rows)
    return pd.DataFrame({"n": rng.normal(size=rows).round(3), "t": pd.Series(text, dtype=object)})


def holdout_rows(X, y=None, share=0.2, classify=True):
    return holdout.mask(X, np.zeros(len(X)) if y is None else y, share, classify)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_about_the_share_is_held_out(share):
    assert holdout_rows(table(5000), share=share).mean() == pytest.approx(share, abs=0.03)


def test_a_row_is_on_the_same_side_in_every_upload_in_any_order():
    X = table()
    before = holdout_rows(X)
    order = np.random.default_rng(1).permutation(len(X))
    assert (holdout_rows(X.iloc[order][["t", "n"]]) == before[order]).all()
    assert (holdout_rows(X[:500]) == before[:500]).all()


def test_duplicates_are_on_the_same_side():
    X = pd.concat([table(), table()])
    mask = holdout_rows(X)
    assert (mask[:1000] == mask[1000:]).all()


def test_a_row_is_on_the_same_side_however_its_gaps_and_numbers_were_spelt():
    def side(*columns):
        X = schema_learning.learn(["a", "b"], [list(column) for column in columns])[1]
        return holdout_rows(X, share=0.5).tolist()

    first = side([str(i) for i in range(50)] + ["", "1"], ["x", ""] * 26)
    assert first == side([f"{i}.0" for i in range(50)] + ["NA", "1e0"], ["x", ""] * 26)


def test_a_class_without_a_training_row_keeps_its_rows():
    X = table()
    y = np.array(["common"] * len(X), dtype=object)
    rare = np.flatnonzero(holdout_rows(X))[:2]
    y[rare] = ["once", "also once"]
    mask = holdout_rows(X, y)
    assert not mask[rare].any() and mask.sum() == holdout_rows(X).sum() - 2


@pytest.mark.parametrize("y", [np.array([1, 2] * 20), np.array([True, False] * 20), np.array([0.5, 1.5] * 20)])
def test_every_class_of_any_type_has_a_training_row(y):
    mask = holdout_rows(table(40), y, share=0.999999)
    assert set(y[~mask].tolist()) == set(y.tolist())


def test_a_table_of_one_row_repeated_is_not_held_out_whole():
    X = pd.DataFrame({"n": [1.0] * 30})
    for share in (0.01, 0.99):
        assert not holdout_rows(X, share=share, classify=False).all()


@pytest.mark.parametrize(
    ("rows", "words"), [(0, "no row was held out"), (1, "only 1 rows"), (29, "only 29 rows were held out")]
)
def test_the_note_says_when_scores_mean_little(rows, words):
    assert words in str(holdout.note(rows))


def test_there_is_no_note_when_rows_are_enough():
    assert holdout.note(holdout.FEWEST) is None
