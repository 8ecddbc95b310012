"""MLflow's scoring protocol: its formats of rows, its own client, and wrong requests to /invocations."""

import json
from collections.abc import Callable

import httpx2 as httpx
import pytest
from clients.asking import ask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server import Server

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
LABELS = ["setosa", "virginica"]
SHUFFLED = {"columns": [*NAMES[::-1], "note"], "index": [7, 8], "data": [[*row[::-1], "x"] for row in ROWS]}
FORMS = {
    "split": {"dataframe_split": {"columns": NAMES, "data": ROWS}},
    "split, shuffled and with more": {"dataframe_split": SHUFFLED},
    "split without names": {"dataframe_split": {"columns": [0, 1, 2, 3], "data": ROWS}},
    "split without columns": {"dataframe_split": {"data": ROWS}},
    "records": {"dataframe_records": RECORDS},
    "records with a gap": {"dataframe_records": [{**record, "note": None} for record in RECORDS]},
    "instances": {"instances": ROWS},
    "instances by name": {"instances": RECORDS},
    "inputs": {"inputs": ROWS},
    "inputs by column": {"inputs": dict(zip(NAMES, zip(*ROWS, strict=True), strict=True))},
    "with params": {"inputs": ROWS, "params": {}},
    "with null for params": {"inputs": ROWS, "params": None},
    "with null for the other forms": {"inputs": ROWS, "instances": None, "dataframe_split": None, "parameters": None},
    "with null for a param": {"inputs": ROWS, "params": {"probabilities": None}},
    "with params of another model": {"inputs": ROWS, "params": {"invalid_param": "value"}},
    "with keys of its own": {"inputs": ROWS, "signature_name": "serving_default", "foo": 1},
    "split with null": {"dataframe_split": {"columns": None, "index": None, "data": ROWS}},
    "split with an index": {"dataframe_split": {"columns": NAMES, "index": ["a", "b"], "data": ROWS}},
}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", OPEN_PROTOCOLS="mlflow")


def invoke(server: Server, body: object) -> httpx.Response:
    return httpx.post(f"{server.url}/invocations", json=body)


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_every_form_of_the_same_rows_gives_the_same_predictions(server: Server, body: dict) -> None:
    found = invoke(server, body)
    assert (found.status_code, found.json()) == (200, {"predictions": LABELS})


def test_one_row_may_be_a_value_for_each_column(server: Server) -> None:
    assert invoke(server, {"inputs": RECORDS[1]}).json() == {"predictions": LABELS[1:]}


def test_a_csv_with_header_is_answered_in_json(server: Server) -> None:
    table = ",".join(["", *NAMES]) + "\n" + "".join(f"{i},{','.join(map(str, row))}\n" for i, row in enumerate(ROWS))
    found = httpx.post(f"{server.url}/invocations", content=table, headers={"content-type": "text/csv"})
    assert found.json() == {"predictions": LABELS}


def test_nan_is_a_gap_as_null_is(server: Server) -> None:
    body = b'{"dataframe_split": {"columns": ["petal_length"], "data": [[NaN]]}}'.replace(
        b'["petal_length"]', json.dumps(NAMES).encode()
    ).replace(b"[[NaN]]", b"[[5.1, 3.5, NaN, 0.2]]")
    found = httpx.post(f"{server.url}/invocations", content=body, headers={"content-type": "application/json"})
    null = server.predict([[5.1, 3.5, None, 0.2]])
    assert (found.status_code, found.json()["predictions"]) == (200, null.json()["predictions"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "exactly one of"),
        ([], "no rows"),
        ({"inputs": ROWS, "instances": ROWS}, "it has instances and inputs"),
        ({"inputs": 5}, "inputs"),
        ({"inputs": []}, "no rows"),
        ({"inputs": [1, 2, 3, 4]}, "a row is an object, or an array of 4 values"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "different numbers of values: a 1, b 2"),
        ({"inputs": {}}, "no rows"),
        ({"dataframe_records": {"a": 1}}, "dataframe_records"),
        ({"dataframe_records": [{**RECORDS[0], "petal_width": "x"}]}, "records[0]"),
        ({"dataframe_split": [1]}, "columns and data"),
        ({"dataframe_split": {"columns": NAMES}}, "columns and data"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "there twice"),
        ({"dataframe_split": {"columns": [1.5], "data": []}}, "1.5 is no text"),
        ({"dataframe_split": {"columns": NAMES[1:], "data": [[1, 2, 3]]}}, NAMES[0]),
        ({"dataframe_split": {"columns": NAMES[::-1], "data": [[1]]}}, "row 0: a row"),
        ({"dataframe_split": {"data": ROWS, "index": [1]}}, "the index has 1 labels, and the data 2 rows"),
        ({"dataframe_split": {"data": ROWS, "index": {"0": 1}}}, "the index has no list of labels"),
        ({"dataframe_split": {"data": ROWS, "dtypes": []}}, "dtypes is not known; there are columns, index, data"),
        ({"dataframe_split": {"data": None}}, "columns and data"),
        ({"instances": None, "inputs": None}, "it has none"),
        ({"inputs": ROWS, "params": {"probabilities": 1}}, "params is"),
        ({"inputs": ROWS, "params": {"probabilities": "perhaps"}}, "params is"),
        ({"inputs": ROWS, "params": [True]}, "params is"),
        (7, "exactly one of"),
        ([1], "exactly one of"),
        ([[5.1, 3.5], [1.4]], "rows[0]: the column petal_length is missing"),
    ],
)
def test_wrong_input_is_a_bad_request(server: Server, body: object, says: str) -> None:
    found = invoke(server, body)
    assert (found.status_code, found.json()["error_code"]) == (400, "BAD_REQUEST")
    assert list(found.json()) == ["error_code", "message"] and says in found.json()["message"]


def test_refusals_before_the_route_have_it_too(server: Server) -> None:
    assert server.client.get("/invocations").json()["error_code"] == "BAD_REQUEST"
    assert httpx.put(f"{server.url}/invocations").json()["error_code"] == "UNAUTHENTICATED"


def test_health_and_version(server: Server) -> None:
    for path in "/ping", "/health":
        assert httpx.get(f"{server.url}{path}").status_code == 200
    assert httpx.get(f"{server.url}/version").text == "1.0.0"


@pytest.mark.timeout(900)  # its environment is installed first
def test_mlflows_own_client_scores_frames_and_arrays(server: Server) -> None:
    found = ask("mlflow", str(server.port), json.dumps(RECORDS), json.dumps({"probabilities": False}))
    assert found == {"version": "1.0.0"} | dict.fromkeys(("frame", "shuffled", "array", "records"), LABELS)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(NAMES)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner)
)
FORM = st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"])
BODIES = (
    st.dictionaries(FORM, VALUES).map(json.dumps)
    | st.fixed_dictionaries({"columns": VALUES, "data": VALUES}).map(lambda s: json.dumps({"dataframe_split": s}))
    | st.lists(VALUES.map(json.dumps), max_size=5).map("\n".join)
    | st.lists(st.lists(SCALARS.map(str), max_size=5).map(",".join), max_size=5).map("\n".join)
)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/jsonlines",
        "text/csv",
        "text/csv; header=present",
        "text/csv; header=absent",
        "application/x-npy",
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    body=BODIES.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=40)
    | st.binary(max_size=40).map(lambda rest: b"\x93NUMPY\x01\x00" + rest),
    kind=KINDS | st.text(st.characters(codec="latin-1", exclude_categories=["C"])).map(str.strip),
    accept=st.sampled_from(
        ["", "*/*", "text/csv", "application/jsonlines;q=x", "application/x-npy", "text/*;q=nan,,;", "a/b"]
    ),
)
def test_nothing_that_is_sent_makes_the_server_fail(server: Server, body: bytes, kind: str, accept: str) -> None:
    headers = {"content-type": kind.encode("latin-1"), "accept": accept.encode()}
    found = server.client.post("/invocations", content=body, headers=headers)
    assert found.status_code in (200, 400, 406, 413, 415), found.text
    if found.status_code != 200:
        assert list(found.json()) == ["error_code", "message"]
