"""Answers have the type that the Accept header requests: JSON, CSV, or a refusal with a message."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from server import Server

# Labels of each kind that a CSV could get wrong, in turn.
LABELS = """
LABELS = {labels}
class Cycle:
    def fit(self, X, y):
        self.classes_ = sorted(set(y))
        return self
    def predict(self, X): return [self.classes_[int(x) % len(self.classes_)] for x in X["x"]]
    def predict_proba(self, X): return [[1 / 3, 2 / 3] + [0.0] * (len(self.classes_) - 2)] * len(X)
def build(): return Cycle()
def score(model, X, y): return {{"accuracy": 1.0}}
"""
TEXTS = ['a "b", c', "d\ne", "true", "-1"]
NUMBERS = [0.1, 1e16, 5e-324, 123456789.5]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    server = serve(fork(texts=LABELS.format(labels=TEXTS)), WEB_CONCURRENCY="1")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([["x", "y"], *([i, TEXTS[i % 4]] for i in range(40))])
    server.train(out.getvalue(), "y", model="texts").raise_for_status()
    return server


def ask(server: Server, accept: str | None, rows: int = 4, **fields: str) -> httpx.Response:
    table = "x\n" + "".join(f"{i}\n" for i in range(rows))
    headers = {} if accept is None else {"Accept": accept}
    data = {"model": "texts", **fields}
    return server.client.post("/get_prediction", files={"csv_file": table}, data=data, headers=headers)


def table(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv"), answer.text
    return list(csv.reader(io.StringIO(answer.text, newline="")))


@pytest.mark.parametrize(
    "accept",
    [
        "text/csv",
        "TEXT/CSV; header=present",
        "application/json;q=0.5, text/csv",
        "text/*",
        "text/csv, */*;q=0.1",
        "application/json;q=.1,text/csv;q=.9",
    ],
)
def test_csv_has_a_line_for_each_row_with_the_values_of_the_json(server: Server, accept: str) -> None:
    for rows in (1, 4, 1001):
        found = table(ask(server, accept, rows))
        wanted = ask(server, None, rows).json()["predictions"]
        assert found == [["prediction"], *([label] for label in wanted)]
    assert ask(server, accept).headers["x-model-version"] == "1"


def test_csv_has_a_column_for_the_probability_of_each_class(server: Server) -> None:
    head, *lines = table(ask(server, "text/csv", probabilities="true"))
    wanted = ask(server, None, probabilities="true").json()
    assert head == ["prediction", *(f"probability_{label}" for label in wanted["classes"])]
    assert [[float(cell) for cell in line[1:]] for line in lines] == wanted["probabilities"]


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/*",
        "text/csv;q=0.5, application/json",
        "text/csv;q=0, */*",
        "text/html, *; q=.2",
    ],
)
def test_json_is_the_answer_in_doubt(server: Server, accept: str | None) -> None:
    assert ask(server, accept).json()["rows"] == 4


@pytest.mark.parametrize("accept", ["image/png", "text/html", "application/json;q=0", "application/xml, image/*"])
def test_an_unsupported_accept_header_is_refused_with_a_message(server: Server, accept: str) -> None:
    for answer in (ask(server, accept), predict(server, {"Accept": accept})):
        assert answer.status_code == 406
        assert "application/json or text/csv" in answer.json()["detail"]


def test_several_accept_headers_are_one_list(server: Server) -> None:
    body = json.dumps({"instances": [[0]]})
    headers = [("Content-Type", "application/json"), ("Accept", "image/png"), ("Accept", "text/csv")]
    assert table(server.client.post("/models/texts/predict", content=body, headers=headers))[0] == ["prediction"]


def predict(server: Server, headers: dict[str, str]) -> httpx.Response:
    body = json.dumps({"instances": [[x] for x in range(4)]})
    headers = {"Content-Type": "application/json"} | headers
    return server.client.post("/models/texts/predict", content=body, headers=headers)


def test_json_rows_may_be_answered_in_csv_too(server: Server) -> None:
    assert table(predict(server, {"Accept": "text/csv"})) == table(ask(server, "text/csv"))


@pytest.mark.parametrize("value", [*NUMBERS, True, False, None, 7, float("nan")])
def test_a_csv_cell_has_the_value_of_the_json(value: Any) -> None:
    from rest_api.predictions.csv_answers import cell

    plain = None if value != value else value
    assert cell(value) == ("" if plain is None else json.dumps(plain))
    assert plain is None or json.loads(cell(value)) == plain
