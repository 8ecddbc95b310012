"""CSV and JSON values have the same meaning, for every line of the table of cell meanings, as objects and arrays."""

import csv
import io

import pandas as pd
import pytest
from json_rows import ROW, frame, learn

from ML.schema import csv_rows
from ML.tables import reading


def from_csv(row):
    out = io.StringIO()
    csv.writer(out).writerows([list(row), list(row.values())])
    learned = learn()
    return learned.frame(csv_rows.from_table(learned, reading.read(out.getvalue().encode(), 10**6), None, 100)[0])


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("n", "2", 2), ("n", "2.0", 2), ("n", " 2.50 ", 2.5), ("n", "1e3", 1000), ("n", "-0.1", -0.1), ("n", "007", 7),
        ("n", "9007199254740993", 9007199254740993), ("n", "0.1", 0.1), ("n", "1e-400", 0), ("n", "5e-324", 5e-324),
        *[("n", gap, None) for gap in ("", "NA", "nan", "NaN", "null", "NULL", "None", "-", " ")],
        ("zip", "00501", "00501"), ("zip", "501", "501"), ("zip", "new", "new"), ("zip", "", None), ("zip", "", ""),
        ("nation", "NA", "NA"), ("nation", "null", "null"), ("nation", "-", "-"), ("nation", " ", " "),
        ("nation", "", None), ("nation", "", ""), ("nation", '"quoted", a\nline', '"quoted", a\nline'),
        ("nation", "🙂 é \u2028", "🙂 é \u2028"), ("nation", "1e999", "1e999"),
        ("nation", "\uff11\uff12", "\uff11\uff12"),
        ("bit", "0", 0), ("bit", "1", 1), ("bit", "1", True), ("bit", "0", False), ("bit", "1", "1"), ("bit", "", None),
        ("bit", "1", 1.0), ("bit", "1.0", 1.0), ("bit", "0.0", 0), ("bit", "", ""),
        ("yes", "yes", "yes"), ("yes", "NO", "no"), ("yes", "yes", True), ("yes", "no", False), ("yes", "", None),
        ("true", "true", True), ("true", "FALSE", False), ("true", "True", "true"),
        ("true", "", None), ("true", " ", " "),
        ("day", "2024-01-01", "2024-01-01"), ("day", "2024-01-01 10:00", "2024-01-01T10:00:00Z"),
        ("day", "2024-01-01T00:30:00+01:00", "2023-12-31T23:30"), ("day", "", None), ("day", "", ""), ("day", " ", ""),
    ],
)  # fmt: skip
def test_a_cell_means_the_same_in_csv_and_in_json(name, cell, value):
    as_text = {key: str(known).lower() if known is True else known for key, known in ROW.items()}
    wanted = from_csv(as_text | {name: cell})
    row = ROW | {name: value}
    for rows in ([row], [list(row.values())]):
        pd.testing.assert_frame_equal(frame(rows), wanted, check_exact=True)


@pytest.mark.parametrize("value", [None, ""])
def test_missing_text_reaches_the_pipeline_as_nan_never_as_none(value):
    """An encoder treats None and NaN as different categories, so predictions would depend on the format."""
    found = frame([ROW | {"nation": value}])["nation"][0]
    assert isinstance(found, float) and found != found


def labelled(*labels):
    return "x,label\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))


def test_rows_with_and_without_a_target_are_predicted_and_those_with_one_scored(server):
    assert server.train(labelled(*[1, 2] * 20), "label").status_code == 200
    answer = server.predict_csv(labelled(1, "", 2, "NA", 1))
    assert answer.status_code == 200 and answer.json()["rows"] == 5, answer.text


def test_a_missing_target_is_named_by_its_row_in_the_file(server):
    assert server.train(labelled(*[1, 2] * 20), "label").status_code == 200
    answer = server.predict_csv(labelled("", 1, "", "x"))
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "csv_file", 4, "label"]
