"""The JSON body of a prediction: errors name their place."""

import json
import resource

import pytest
from json_rows import COLUMNS, ROW, frame, make_parser, parse

from ML.errors import Invalid, TooLarge
from rest_api.http.errors import Errors
from rest_api.protocols import enabled

ERRORS = Errors(enabled.error)


def wrong(body, columns=None):
    with pytest.raises(Invalid) as caught:
        parse(body, columns)
    return caught.value


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        *[("n", bad) for bad in ("1e999", "-1e999", "NaN", "Infinity", "true", '"1.5"', '""', "[1]", "{}", "9" * 400)],
        *[("zip", bad) for bad in ("501", "true", "[]", "1.5")],
        *[("bit", bad) for bad in ("2", "0.5", '"yes"', '"true"', "[]", "NaN", "-1")],
        *[("yes", bad) for bad in ("1", "0", '"y"', '"true"', "{}")],
        *[("true", bad) for bad in ("1", '"1"', '"yes"')],
        *[("day", bad) for bad in ("20240101", '"soon"', '"NA"', '"2024-02-30"', "19723", "true")],
    ],
)
def test_a_value_of_another_kind_is_refused_by_row_and_column(name, literal):
    body = json.dumps({"instances": [ROW, ROW | {name: "?"}]}).replace('"?"', literal)
    found = wrong(body.encode()).errors
    assert [e["loc"] for e in found] == [["instances", 1, name]]
    assert found[0]["msg"].startswith(f"instances[1]: {name}: ")


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("value", [None, ""])
def test_a_column_that_can_not_be_missing_is_refused_when_it_is(name, value):
    full = {key: [cell or column[0] for cell in column] for key, column in COLUMNS.items()}
    found = wrong({"instances": [ROW | {name: value}]}, full).errors
    assert [e["loc"] for e in found] == [["instances", 0, name]]
    assert "can't do without it" in found[0]["msg"] or (name, value) == ("n", "")


NAMES = [
    "two words",
    'a "quote"',
    "_private",
    "__class__",
    "a.b",
    "🙂",
    "a,b",
    "class",
    "0",
    "items",
    "back\\slash",
    "Row",
]


def test_columns_may_have_any_name():
    columns = {name: ["1", "2"] for name in NAMES} | {"instances": ["3", "4"]}
    row = dict.fromkeys(columns, 1)
    for rows in ([row], [list(row.values())], [dict(reversed(row.items()))]):
        assert frame(rows, columns).iloc[0].to_dict() == row
    found = wrong({"instances": [{k: v for k, v in row.items() if k != "🙂"}]}, columns).errors
    assert [e["loc"] for e in found] == [["instances", 0, "🙂"]]


def test_extra_columns_are_named_but_not_the_target():
    rows = [ROW, ROW | {"later": [[1]], "target": "x", "more": None}]
    assert parse({"instances": rows}).unused == ["later", "more"]


def test_a_column_called_instances_with_a_list_in_it_is_still_a_row_of_an_object():
    assert parse({"instances": [ROW | {"instances": [[1]]}]}).unused == ["instances"]


def test_a_missing_column_is_named_with_names_that_it_may_be_spelt_as():
    row = {key: value for key, value in ROW.items() if key != "nation"} | {"nations": "NA"}
    error = wrong({"instances": [ROW, row]}).errors[0]
    assert error["loc"] == ["instances", 1, "nation"]
    assert error["msg"] == "instances[1]: the column nation is missing; is it spelt nations here?"


def test_a_row_of_an_array_is_as_long_as_there_are_columns():
    full = list(ROW.values())
    assert wrong({"instances": [full[:-1]]}).errors[0]["loc"] == ["instances", 0, "day"]
    long = wrong({"instances": [full, [*full, 1]]}).errors[0]
    assert long["loc"] == ["instances", 1] and "an array of 7 values in this order: n, zip, nation" in long["msg"]


BODIES = [
    (b"", [], "Invalid JSON: EOF"),
    (b"\xff", [], "Invalid JSON"),
    (b'{"instances": [{"n": 1}', [], "at line 1 column"),
    (b'{"instances": [[1, "\\ud800"]]}', [], "Invalid JSON"),
    (b"[]", [], "object"),
    (b"null", [], "object"),
    (b"{}", ["instances"], 'send {"instances": '),
    (b'{"instances": null}', ["instances"], "array"),
    (b'{"instances": {}}', ["instances"], "array"),
    (b'{"instances": []}', ["instances"], "at least one"),
    (b'{"instances": [1]}', ["instances", 0], "a row is an object, or an array of 7 values"),
    (b'{"instances": [null]}', ["instances", 0], "a row is an object"),
    (b'{"instances": [[]], "x": 1}', ["instances", 0, "n"], "the column n is missing"),
]


@pytest.mark.parametrize(("body", "place", "message"), BODIES)
def test_a_body_of_another_shape_is_refused_by_its_place_in_json_that_can_be_sent(body, place, message):
    error = wrong(body)
    assert error.errors[0]["loc"] == place and message in error.errors[0]["msg"]
    assert json.loads(bytes(ERRORS.answer({"path": "/predict"}, error.status, error.detail).body))["detail"][0]["msg"]


def test_a_large_body_that_is_no_json_is_not_sent_back():
    error = wrong(b'{"instances": [' + b" " * 1_000_000)
    assert len(ERRORS.answer({"path": "/predict"}, error.status, error.detail).body) < 10_000


@pytest.mark.parametrize(
    "parameters", [{"probabilities": "yes"}, {"probabilities": 1}, {"probability": True}, [], None]
)
def test_parameters_must_have_their_documented_types(parameters):
    assert wrong({"instances": [ROW], "parameters": parameters}).errors[0]["loc"][:1] == ["parameters"]


@pytest.mark.parametrize(
    ("parameters", "asked"), [({}, False), ({"probabilities": True}, True), ({"probabilities": False}, False)]
)
def test_probabilities_are_given_on_request(parameters, asked):
    assert parse({"instances": [ROW], "parameters": parameters}).probabilities is asked


def test_the_first_hundred_errors_are_listed_and_the_others_counted():
    detail = wrong({"instances": [ROW | {"n": "x"}] * 130}).detail
    assert [len(detail), detail[99]["loc"], detail[100]["msg"]] == [
        101,
        ["instances", 99, "n"],
        "and 30 more errors",
    ]


def test_more_rows_than_allowed_are_refused():
    with pytest.raises(TooLarge, match="More than 2 rows"):
        parse({"instances": [ROW] * 3}, most=2)


@pytest.mark.parametrize("row", [b"[]", b"{}", b"1", b'""', b"[[]]"])
def test_a_body_of_megabytes_without_a_row_in_it_does_not_become_gigabytes(row):
    learned, before = make_parser(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for rows in (100_000, 2_000_000):
        with pytest.raises((Invalid, TooLarge)):
            learned.parse(b'{"instances": [' + b",".join([row] * rows) + b"]}", 1_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB


def test_brackets_and_commas_in_strings_are_no_rows():
    row = ROW | {"nation": "[{," * 10_000}
    assert parse({"instances": [row] * 3}, most=3).rows == 3
