"""The learned columns: how they check a prediction's table, and the synthetic example rows."""

import math

import pytest

from ML.errors import Invalid, TooLarge
from ML.schema import csv_rows, schema_learning
from ML.schema.schema import Schema
from ML.tables import reading

TRAINING = {
    "age": ["31", "42", "53", "64", "75"],
    "zip": ["00501", "00501", "90210", "90210", "00501"],
    "member": ["yes", "no", "yes", "", "yes"],
    "since": ["2020-01-01", "2021-06-30", "", "2022-12-31", "2023-03-03"],
    "note": ["", "", "", "", ""],
}


def learned(training=None):
    training = training or TRAINING
    return schema_learning.learn(list(training), list(training.values()))[0]


def read(of, csv, target=None, most=100):
    columns, labels = csv_rows.from_table(of, reading.read(csv.encode(), 1_000_000), target, most)
    return of.frame(columns), labels


def errors(of, csv):
    with pytest.raises(Invalid) as caught:
        read(of, csv)
    return caught.value.errors


def test_columns_are_learned_with_kind_words_and_gaps_and_empty_ones_are_left_out():
    found = learned()
    assert [(c.name, c.kind, c.words, c.gaps) for c in found.columns] == [
        ("age", "number", (), False),
        ("zip", "text", (), False),
        ("member", "flag", ("no", "yes"), True),
        ("since", "date", (), True),
    ]
    assert found.ignored == ("note",)


def test_the_columns_of_a_prediction_may_come_in_any_order_beside_others():
    csv = "x,since,member,zip,age,y\n?,2020-01-02,no,00501,1,up\n!,,,90210,2.5,down\n"
    frame, labels = read(learned(), csv, "y")
    assert list(frame.columns) == ["age", "zip", "member", "since"]
    assert frame["age"].tolist() == [1, 2.5] and frame["zip"].tolist() == ["00501", "90210"]
    assert frame["since"][0] == 18263 and math.isnan(frame["since"][1]) and math.isnan(frame["member"][1])
    assert labels == ["up", "down"]


def test_a_table_of_text_numbers_flags_and_dates_keeps_a_type_for_each():
    frame, _ = read(learned(), "age,zip,member,since\n1,a,yes,\n")
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "object", "float64", "float64"]


def test_all_missing_columns_are_named_at_once_with_names_that_they_may_be_spelt_as():
    found = errors(learned(), "Age,zipp,member,y\n1,2,yes,3\n")
    assert [(e["loc"], e["type"]) for e in found] == [([name], "missing_column") for name in ("age", "zip", "since")]
    assert [e["msg"] for e in found] == [
        "the column age is missing; is it spelt Age here?",
        "the column zip is missing; is it spelt zipp here?",
        "the column since is missing",
    ]


def test_a_name_in_other_case_is_suggested():
    assert "is it spelt AGE here?" in errors(learned({"age": ["1", "2"]}), "AGE\n1\n")[0]["msg"]


def test_the_target_is_not_suggested_for_a_missing_column():
    with pytest.raises(Invalid) as caught:
        read(learned({"label_1": ["1", "2"]}), "label_2\n1\n", "label_2")
    assert caught.value.errors[0]["msg"] == "the column label_1 is missing"


def test_every_cell_that_does_not_fit_is_named_by_row_column_and_value():
    found = errors(learned(), "age,zip,member,since\n1,a,yes,\nx,b,maybe,2020-02-30\n,,no,\n")
    assert [(e["loc"], e["type"], e["input"]) for e in found] == [
        ([2, "age"], "number_invalid", "x"),
        ([3, "age"], "number_invalid", ""),
        ([3, "zip"], "text_invalid", ""),
        ([2, "member"], "flag_invalid", "maybe"),
        ([2, "since"], "date_invalid", "2020-02-30"),
    ]
    assert found[0]["msg"] == "row 2, age: 'x' is not a finite number"
    assert found[1]["msg"].startswith("row 3, age: it is missing, and the model can't do without it; fill it in")


def test_wrong_cells_are_found_past_the_first_chunk_and_counted_past_a_hundred():
    of = learned({"age": ["1", "2"]})
    with pytest.raises(Invalid) as caught:
        read(of, "age\n" + "1\n" * 1500 + "x\n" * 103, most=10_000)
    detail = caught.value.detail
    assert [detail[0]["loc"], len(detail), detail[-1]["msg"]] == [
        [1501, "age"],
        101,
        "and 3 more errors",
    ]


def test_counting_stops_early_if_all_cells_are_wrong():
    with pytest.raises(Invalid) as caught:
        read(learned({"age": ["1", "2"]}), "age\n" + "x\n" * 50_000, most=100_000)
    detail = caught.value.detail
    assert [len(detail), detail[-1]["msg"]] == [101, "and at least 9900 more errors"]


def test_too_many_rows_are_refused():
    with pytest.raises(TooLarge, match="More than 100 rows"):
        read(learned({"age": ["1", "2"]}), "age\n" + "1\n" * 101)


def test_a_number_that_no_float_holds_is_refused_at_training_by_row():
    with pytest.raises(Invalid, match="row 2, a: '1e999' is not a finite number"):
        learned({"a": ["1", "1e999", "3"]})


def test_a_table_without_a_column_to_learn_from_is_refused():
    with pytest.raises(Invalid, match="no column to learn from besides the target"):
        learned({"a": ["", ""]})


def test_the_examples_are_generated_from_quantiles_and_frequent_words():
    secret = {"ssn": [f"{i:09d}" for i in range(1, 100)], "pay": [str(1000.123 + i) for i in range(99)],
              "town": ["Rome", "Oslo"] * 49 + ["Ur"], "ok": ["true", "false"] * 49 + [""]}  # fmt: skip
    rows = learned(secret).examples()
    assert {row["ssn"] for row in rows} == {"text"}
    assert not {row["pay"] for row in rows} & {float(pay) for pay in secret["pay"]}
    assert {row["town"] for row in rows} == {"Rome", "Oslo"} and {row["ok"] for row in rows} == {True, False}


@pytest.mark.parametrize(
    ("column", "example"),
    [
        (["1", "2", "3", "4"], 2),
        (["1.5", "2.5"], 2.0),
        (["1234567", "1234567"], 1230000),
        (["0", "1", "1"], 1),
        (["no", "no", "yes"], "no"),
        (["True", "false", "true"], True),
        (["2024-01-01", "2024-01-03"], "2024-01-02"),
        (["2024-01-01T10:00:00+02:00"] * 2, "2024-01-01"),
        (["a", "b", "b"], "b"),
        (["0001-01-01", "9999-12-31"], "5000-07-02"),
    ],
)
def test_the_first_example_is_the_middle_of_a_column(column, example):
    found = learned({"a": column}).examples()[0]["a"]
    assert (type(found), found) == (type(example), example)


@pytest.mark.parametrize(
    "column",
    [["1.797e308", "1.7976e308"], ["1e308", "-1e308"], ["-1.7976e308"] * 2, ["5e-324", "1e-323"], ["1e300", "2"]],
)
def test_examples_of_numbers_at_the_edge_of_float_are_finite(column):
    found = learned({"a": column})
    assert all(math.isfinite(row["a"]) for row in found.examples())
    assert Schema.model_validate_json(found.model_dump_json()) == found


def test_a_schema_survives_its_card():
    assert Schema.model_validate_json(learned().model_dump_json()) == learned()


def test_a_file_without_a_header_is_reported_as_such():
    of = learned({"age": ["1", "2"], "size": ["1.5", "2"], "town": ["Graz", "Oslo"]})
    found = errors(of, "31,1.7,Lyon\n40,1.8,Graz\n")
    assert [e["loc"][0] for e in found] == ["age", "size", "town"]
    assert "is the header missing? The first line is 31,1.7,Lyon and must name the columns" in found[0]["msg"]
    assert "header" not in errors(of, "a,b,2024\n40,1.8,Graz\n")[0]["msg"]


def test_columns_may_be_named_by_numbers():
    of = learned({"0": ["1", "2"], "2020": ["1", "2"], "400.5": ["1", "2"]})
    assert read(of, "0,2020,400.5\n3,4,5\n")[0].to_numpy().tolist() == [[3, 4, 5]]
