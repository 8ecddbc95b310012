"""Which kind a target column is, and how predictions are converted back to its labels."""

import numpy as np
import pytest

from ML.errors import Invalid
from ML.schema import target_learning


def learn(column, task="classification"):
    return target_learning.learn("y", column, task)


@pytest.mark.parametrize(
    ("column", "type_", "labels"),
    [
        (["a", "b", "a"], "string", ["a", "b", "a"]),
        (["1", "2", "1"], "integer", [1, 2, 1]),
        (["0", "1", "1"], "integer", [0, 1, 1]),
        (["1.0", "2.0", "1.0"], "integer", [1, 2, 1]),
        (["0.5", "1.5", "0.5"], "number", [0.5, 1.5, 0.5]),
        (["true", "False", "TRUE"], "boolean", [True, False, True]),
        (["yes", "no", "yes"], "string", ["yes", "no", "yes"]),
        (["007", "008", "007"], "string", ["007", "008", "007"]),
        (["NA", "DE", "NA"], "string", ["NA", "DE", "NA"]),
        (["2024-01-01", "2024-01-02", "2024-01-01"], "string", ["2024-01-01", "2024-01-02", "2024-01-01"]),
        (["-1", "1", "-1"], "integer", [-1, 1, -1]),
        (["1_0", "2", "2"], "string", ["1_0", "2", "2"]),
        (["🙂", 'a "b"', "🙂"], "string", ["🙂", 'a "b"', "🙂"]),
    ],
)
def test_labels_come_back_in_the_targets_own_type(column, type_, labels):
    learned = learn(column)
    back = learned.from_model(learned.to_model(learned.convert(column)))
    assert learned.type == type_
    assert [(type(label), label) for label in back] == [(type(label), label) for label in labels]


@pytest.mark.parametrize(
    ("column", "task"),
    [(["0.5", "1.5", "0.7"], "regression"), (["1", "2", "1"], "classification"), (["a", "b", "a"], "classification"),
     (["true", "false", "true"], "classification")],
)  # fmt: skip
def test_converted_labels_have_the_types_of_the_targets_values(column, task):
    assert learn(column, None).task == task


@pytest.mark.parametrize("column", [["1", "2", "3"], ["0", "1", "0"], ["0.5", "1e3", "-2"], ["7", "7", "7"]])
def test_a_regression_takes_every_column_of_numbers(column):
    assert learn(column, "regression").convert(column).tolist() == [float(cell) for cell in column]


@pytest.mark.parametrize(
    ("column", "task", "message"),
    [
        (["a", "", "b", " "], "classification", "y is missing in 2 rows, first in rows 2, 4; fill or remove them"),
        (["", "1", "2"], "regression", "y is missing in 1 rows, first in row 1;"),
        (["1", "NA", "2", "nan", "-"], "regression", "y is missing in 3 rows, first in rows 2, 4, 5;"),
        (["1", *[""] * 9], "classification", r"missing in 9 rows, first in rows 2, 3, 4, 5, 6, \.\.\.;"),
        (["", ""], "classification", "y is missing in 2 rows"),
        (["a", "a"], "classification", "has one class only, 'a'; a classifier needs two or more"),
        (["1", "1.0"], "classification", "has one class only"),
        (["true", "TRUE"], "classification", "has one class only"),
        (["a", "b", "c"], "classification", r"as many classes as rows \(3\)"),
        ([str(i + 0.5) for i in range(30)] * 2, "classification", "looks continuous .30 different numbers in 60 rows"),
        (["1", "x", "2"], "regression", "a regression needs numbers, but y is 'x' in row 2"),
        (["true", "false", "true"], "regression", "a regression needs numbers, but y is 'true' in row 1"),
        (["00501", "90210"], "regression", "a regression needs numbers"),
        (["yes", "no"], "regression", "a regression needs numbers, but y is 'yes' in row 1"),
    ],
)
def test_a_target_that_can_not_be_learned_is_refused_with_the_reason(column, task, message):
    with pytest.raises(Invalid, match=message) as caught:
        learn(column, task)
    assert caught.value.errors[0]["loc"] == ["y"]


@pytest.mark.parametrize("task", ["classification", "regression", None])
@pytest.mark.parametrize("cell", ["1e999", "-1e999"])
def test_a_number_that_no_float_holds_is_refused_by_row(cell, task):
    with pytest.raises(Invalid, match=f"row 2.*{cell}"):
        learn(["1", cell, "2", "1"], task)


def test_numbers_that_are_equal_as_floats_are_different_classes():
    """Identifiers above 2**53 are labels like any other: two of them must not become one."""
    column = ["9007199254740993", "9007199254740992"] * 3
    assert len({str(label) for label in learn(column).convert(column).tolist()}) == 2


def test_a_target_is_checked_by_row_when_it_is_converted():
    with pytest.raises(Invalid) as caught:
        learn(["1", "2", "1"]).convert(["1", "x", "", "NA"])
    assert [(e["loc"], e["input"]) for e in caught.value.errors] == [
        ([2, "y"], "x"),
        ([3, "y"], ""),
        ([4, "y"], "NA"),
    ]


@pytest.mark.parametrize("answer", [[["a"], ["b"]], np.array([["a"], ["b"]]), ("a", "b"), np.array(["a", "b"], object)])
def test_predictions_may_be_any_array_or_list(answer):
    assert learn(["a", "b", "a"]).from_model(answer) == ["a", "b"]


def test_labels_that_are_fractions_go_in_as_text_and_come_back_as_numbers():
    learned = learn(["0.1", "0.2", "0.1"])
    assert learned.to_model(np.array([0.1, 0.2])).tolist() == ["0.1", "0.2"]
    assert learned.from_model(np.array(["0.1", "0.2"])) == [0.1, 0.2]
