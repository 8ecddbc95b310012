"""Wrong input gets the right status and a message with the place and the remedy, and changes nothing."""

from typing import Any

import pytest
from server import Server

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
JSON = {"content-type": "application/json"}
HEADER = "a,b,target\n"


def rows(count: int, line: str = "{i},{i},{c}\n") -> str:
    return HEADER + "".join(line.format(i=i, c="xy"[i % 2]) for i in range(count))


@pytest.fixture(scope="module", autouse=True)
def trained(server: Server, iris: str) -> int:
    """Return the version that must stay live for all requests."""
    return int(server.train(iris, "species").json()["version"])


@pytest.fixture(autouse=True)
def unchanged(server: Server, trained: int) -> Any:
    """Check that no wrong input changes the live version."""
    yield
    assert server.client.get("/models/classifier").json()["live"]["version"] == trained
    assert server.predict([ROW]).json()["model_version"] == trained


def messages(answer: Any, status: int = 422) -> str:
    """Return the messages of the answer as text."""
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    return detail if isinstance(detail, str) else "\n".join(f"{e['loc']} {e['msg']}" for e in detail)


WRONG_TABLES = {
    "binary": (b"\x89PNG\r\n\x1a\n\0\0", "not a CSV file"),
    "excel": (b"PK\x03\x04aaaa", "export the table as CSV"),
    "empty": (b"", "empty"),
    "blank": (b"\n \n", "empty"),
    "header only": (HEADER.encode(), "header but no rows"),
    "duplicate names": (b"a,a,target\n1,2,3\n", "'a' more than once"),
    "ragged": (rows(20).encode() + b"1,2\n1,2,3,4\n", "row 21 has 2 cells where the header has 3"),
    "undecodable": (HEADER.encode() + b"1,caf\xe9,x\n", "0xe9 at offset 16"),
    "open quote": (HEADER.encode() + b'1,"2,x\n', "check the quotes"),
    "broken gzip": (b"\x1f\x8b\x08\0garbage", "gzip"),
    "target with one class": ((HEADER + "1,2,x\n" * 20).encode(), "one class only, 'x'"),
    "target with gaps": ((rows(20) + "1,2,\n3,4,\n").encode(), "missing in 2 rows, first in rows 21, 22"),
    "a class for each row": (rows(20, "{i},{i},label{i}\n").encode(), "as many classes as rows (20)"),
    "a continuous target": (rows(90, "{i},{i},{i}.5\n" * 2).encode(), "looks continuous"),
    "too few rows": (rows(9).encode(), "9 rows; 10 or more"),
    "nothing to learn from": (b"target\n" + b"x\ny\n" * 10, "no column to learn from"),
    "a number no float holds": ((rows(20) + "1e999,2,x\n").encode(), "row 21, a: '1e999' is not a finite number"),
}


@pytest.mark.parametrize(("table", "says"), WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_wrong_table_is_refused_by_training(server: Server, table: bytes, says: str) -> None:
    assert says in messages(server.train(table, "target"))


def test_a_missing_target_column_lists_the_existing_columns(server: Server) -> None:
    said = messages(server.train(rows(20), "tarket"))
    assert "did you mean target?" in said
    assert "a, b, target" in said


def test_a_text_target_is_refused_by_a_regressor(server: Server) -> None:
    assert "'x' in row 1" in messages(server.train(rows(20), "target", model="regressor"))


WRONG_BODIES = {
    "not json": ('{"instances": [', "line 1 column"),
    "nothing": ("", "the body is empty"),
    "no object": ("[]", "object"),
    "no instances": ("{}", 'send {"instances"'),
    "no rows": ('{"instances": []}', "at least one"),
    "a row that is none": ('{"instances": [1]}', "a row is an object, or an array of 4 values"),
    "a parameter unknown": ('{"instances": [[1,2,3,4]], "parameters": {"proba": true}}', "parameters.proba"),
    "text for a number": ('{"instances": [{"sepal_length": "5"}]}', "sepal_length: a number was learned here"),
    "a flag for a number": ('{"instances": [[true, 1, 1, 1]]}', "sepal_length: a number was learned here"),
    "NaN": ('{"instances": [[NaN, 1, 1, 1]]}', "send null where it is missing"),
    "1e999": ('{"instances": [[1e999, 1, 1, 1]]}', "not finite"),
    "too few values": ('{"instances": [[1, 1, 1]]}', "petal_width"),
    "too many values": ('{"instances": [[1, 1, 1, 1, 1]]}', "in this order: sepal_length"),
    "a lone surrogate": ('{"instances": [{"sepal_length": "\\ud800"}]}', "Invalid JSON"),
    "very deep": ('{"instances": ' + "[" * 5000, "line 1"),
}


@pytest.mark.parametrize(("body", "says"), WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_a_wrong_body_is_refused(server: Server, body: str, says: str) -> None:
    assert says in messages(server.client.post("/predict", content=body, headers=JSON))


def test_all_missing_columns_are_named_with_similar_names(server: Server) -> None:
    said = messages(server.predict([{"petal_len": 1.4, "sepal_width": 3.5}]))
    assert "petal_length is missing; is it spelt petal_len here?" in said
    assert "the column petal_width is missing" in said
    assert "the column sepal_length is missing" in said
    csv = messages(server.predict_csv("petal_len,sepal_width\n1,2\n"))
    assert "petal_length is missing; is it spelt petal_len here?" in csv
    assert "petal_width" in csv


def test_text_in_a_number_column_is_refused_with_row_column_and_value(server: Server) -> None:
    table = "sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n1,2,three,4\n"
    answer = server.predict_csv(table)
    assert "row 2, petal_length: 'three' is not a finite number" in messages(answer)
    assert answer.json()["detail"][0]["loc"] == ["body", "csv_file", 2, "petal_length"]
    assert answer.json()["detail"][0]["input"] == "three"


def test_many_errors_are_reported_as_the_first_hundred_and_a_count(server: Server) -> None:
    detail = server.predict([["x", "x", "x", "x"]] * 100).json()["detail"]
    assert len(detail) == 101
    assert detail[-1]["msg"] == "and 300 more errors"


def test_an_unknown_path_is_404(server: Server) -> None:
    assert "There is no model nope; there are classifier, regressor" in messages(
        server.predict([ROW], model="nope"), 404
    )
    assert "no version 999" in messages(server.client.get("/models/classifier/versions/999"), 404)
    assert "/docs lists them" in messages(server.client.get("/nope"), 404)
    assert "no version 999" in messages(server.client.put("/models/classifier/current", json={"version": 999}), 404)
    assert messages(server.client.delete("/models/classifier/versions/999"), 404)
    assert messages(server.train(rows(20), "target", model="../classifier"), 404)


@pytest.mark.parametrize("version", ["0", "-1", "x", "1e3", "9" * 5000])
def test_a_version_is_a_number_from_one(server: Server, version: str) -> None:
    assert messages(server.client.get(f"/models/classifier/versions/{version}"))
    assert messages(
        server.client.put("/models/classifier/current", content=f'{{"version": "{version}"}}', headers=JSON)
    )


def test_the_live_version_is_not_deleted(server: Server, trained: int) -> None:
    assert "make another one live first" in messages(
        server.client.delete(f"/models/classifier/versions/{trained}"), 409
    )


def test_a_wrong_content_type_is_415(server: Server) -> None:
    assert "application/json" in messages(server.client.post("/predict", content="{}"), 415)
    assert "multipart/form-data" in messages(server.client.post("/train_model", json={}), 415)
    assert "multipart/form-data" in messages(server.client.post("/get_prediction", data={"csv_file": "x"}), 415)


def test_a_wrong_method_is_405_and_names_the_allowed_one(server: Server) -> None:
    answer = server.client.get("/predict")
    assert "it takes POST" in messages(answer, 405)
    assert answer.headers["allow"] == "POST"


def test_a_file_sent_as_text_says_how_curl_sends_files(server: Server) -> None:
    files = {"csv_file": (None, "a,b"), "target_variable": (None, "b")}
    assert "csv_file=@table.csv" in messages(server.client.post("/train_model", files=files))
    assert "csv_file" in messages(server.client.post("/train_model", files={"target_variable": (None, "b")}))


def test_all_that_a_form_lacks_is_named_at_once(server: Server) -> None:
    found = server.client.post("/train_model", files={"other": b"x"})
    assert found.status_code == 422
    assert [error["loc"] for error in found.json()["detail"]] == [["body", "csv_file"], ["body", "target_variable"]]


@pytest.mark.parametrize("field", ["model", "target_variable", "probabilities"])
def test_a_field_sent_as_a_file_is_refused(server: Server, iris: str, field: str) -> None:
    found = server.client.post("/get_prediction", files={"csv_file": iris, field: b"classifier"})
    assert found.status_code == 422
    assert found.json()["detail"][0]["loc"] == ["body", field] and "must be text, not a file" in found.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/predict"),
        ("POST", "/models/classifier/predict"),
        ("POST", "/get_prediction"),
        ("POST", "/train_model"),
        ("PUT", "/models/classifier/current"),
    ],
)
def test_an_empty_body_is_refused_with_its_own_message(server: Server, method: str, path: str) -> None:
    form = path in ("/get_prediction", "/train_model")
    kind = "multipart/form-data; boundary=x" if form else "application/json"
    found = server.client.request(method, path, content=b"", headers={"Content-Type": kind})
    assert found.status_code == (400 if form else 422) and "body is empty; " in found.text


def test_broken_multipart_is_400(server: Server) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert messages(server.client.post("/get_prediction", content=b"--y\r\nnonsense", headers=headers), 400)
    assert messages(
        server.client.post("/get_prediction", content=b"", headers={"content-type": "multipart/form-data"}), 400
    )


def test_another_target_than_the_learned_one_is_refused(server: Server, iris: str) -> None:
    assert "predicts species, not petal_width" in messages(server.predict_csv(iris, target_variable="petal_width"))
