"""SageMaker: /ping, /invocations, its own client, and a training from its folders."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from clients.asking import ask
from server import ROOT, Server

from ML.training import sagemaker

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
LABELS = ["setosa", "virginica"]
LINES = "".join(",".join(map(str, row)) + "\n" for row in ROWS)
HEADED = "species,petal_width,petal_length,sepal_width,sepal_length\n" + "".join(
    ",".join(["", *map(str, row[::-1])]) + "\n" for row in ROWS
)
JSON_LINES = "\n".join(map(json.dumps, [dict(zip(NAMES, row, strict=True)) for row in ROWS]))
BODIES = {
    "text/csv": [LINES, LINES.replace("\n", "\r\n"), LINES.strip(), HEADED],
    "text/csv; charset=utf-8": [LINES],
    "text/csv; header=absent": [LINES],
    "text/csv; header=present": [HEADED],
    "application/json": [
        json.dumps({"instances": ROWS}),
        json.dumps({"instances": [dict(zip(NAMES, row, strict=True)) for row in ROWS]}),
        json.dumps({"inputs": dict(zip(NAMES, zip(*ROWS, strict=True), strict=True))}),
        json.dumps({"dataframe_split": {"columns": NAMES, "data": ROWS}}),
        json.dumps(ROWS),
        json.dumps([dict(zip(NAMES, row, strict=True)) for row in ROWS]),
        json.dumps({"instances": [{"features": row} for row in ROWS]}),
    ],
    "application/jsonlines": [
        JSON_LINES,
        "\n".join(json.dumps({"features": row}) for row in ROWS),
        "\n".join(map(json.dumps, ROWS)) + "\n",
    ],
    "application/x-ndjson": [JSON_LINES],
}
ANSWERS = {
    "text/csv": "setosa\nvirginica\n",
    "application/json": '{"predictions":["setosa","virginica"]}',
    "application/jsonlines": '{"prediction":"setosa"}\n{"prediction":"virginica"}\n',
}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", PROTOCOLS="sagemaker", OPEN_PROTOCOLS="sagemaker")


def invoke(server: Server, kind: str, body: str | bytes, accept: str | None = None) -> httpx.Response:
    """Send a request as SageMaker does, without credentials."""
    headers = {"content-type": kind} | ({"accept": accept} if accept else {})
    return httpx.post(f"{server.url}/invocations", content=body, headers=headers)


@pytest.mark.parametrize("accept", ANSWERS)
@pytest.mark.parametrize(("kind", "body"), [(kind, body) for kind, bodies in BODIES.items() for body in bodies])
def test_every_kind_of_rows_is_answered_in_every_accepted_type(
    server: Server, kind: str, body: str, accept: str
) -> None:
    found = invoke(server, kind, body, accept)
    assert (found.status_code, found.text, found.headers["content-type"]) == (200, ANSWERS[accept], accept)


@pytest.mark.parametrize(
    ("kind", "body", "accept", "answered"),
    [
        ("text/csv", LINES, None, "text/csv"),
        ("text/csv", LINES, "*/*", "text/csv"),
        ("text/csv", HEADED, None, "application/json"),
        ("application/jsonlines", JSON_LINES, None, "application/jsonlines"),
        ("application/json", BODIES["application/json"][0], None, "application/json"),
        ("text/csv", LINES, "text/html, application/json;q=0.9, text/csv;q=0.5", "application/json"),
        ("text/csv", LINES, "text/*", "text/csv"),
        ("text/csv", LINES, "application/*", "application/json"),
        ("application/json", BODIES["application/json"][0], "application/json; verbose=true", "application/json"),
        ("text/csv", LINES, "application/x-jsonlines", "application/x-jsonlines"),
    ],
)
def test_without_an_accept_header_the_answer_is_in_the_clients_usual_format(
    server: Server, kind: str, body: str, accept: str | None, answered: str
) -> None:
    assert invoke(server, kind, body, accept).headers["content-type"] == answered


@pytest.mark.parametrize(
    ("kind", "body", "accept", "status", "says"),
    [
        (
            "application/xml",
            "<a/>",
            None,
            415,
            "takes application/json, application/jsonlines, text/csv, application/x-npy",
        ),
        ("text/csv; charset=latin-1", LINES, None, 415, "UTF-8"),
        ("", LINES, None, 415, "without a type"),
        ("text/csv", LINES, "text/html", 406, "There is no answer of type text/html"),
        ("text/csv", LINES, "text/csv;q=0", 406, "text/csv"),
        ("text/csv", "5.1,3.5,1.4\n", None, 400, f"in this order: {', '.join(NAMES)}"),
        ("text/csv", "5.1,3.5,1.4,0.2,9\n", None, 400, "row 1 has 5 cells where the model has 4"),
        ("text/csv", LINES + "5.1,3.5\n", None, 400, "row 3 has 2 cells"),
        ("text/csv", "5.1,3.5,1.4,wide\n", None, 400, "row 1, petal_width: 'wide'"),
        ("text/csv", "sepal_length,sepal_width,petal_length\n1,2,3\n", None, 400, "the column petal_width is missing"),
        ("text/csv", "", None, 400, "empty"),
        ("text/csv", "1,2\n" * 3_000_000, None, 400, "row 1 has 2 cells"),
        ("application/json", "{", None, 400, "not JSON"),
        ("application/json", "[1]", None, 400, "exactly one of"),
        ("application/json", '{"instances": [], "inputs": []}', None, 400, "it has instances and inputs"),
        ("application/json", '{"instances": [[1, 2, 3, "x"]]}', None, 400, "petal_width: a number was learned"),
        ("application/json", '{"instances": [[1, 2, 3, 4]], "params": {"probabilities": 1}}', None, 400, "params is"),
        ("application/json", "[]", None, 400, "no rows"),
        ("application/json", "[[1, 2, 3]]", None, 400, "rows[0]: the column petal_width is missing"),
        ("application/json", "[5.1, 3.5, 1.4, 0.2]", None, 400, "exactly one of"),
        ("application/json", f"[{'[],' * 2_000_000}[]]", None, 413, "MAX_ROWS"),
        ("application/json", '[{"features": [1, 2, 3, 4]}, [1, 2, 3, 4]]', None, 400, "rows[0]"),
        ("application/json", f'{{"instances": [{"[]," * 2_000_000}[]]}}', None, 413, "MAX_ROWS"),
        ("application/jsonlines", "[1,2,3,4]\n[1,2\n", None, 400, "line 2 is not JSON"),
        ("application/jsonlines", "[1,2,3,4],[1,2,3,4]\n", None, 400, "line 1 is not JSON"),
        ("application/jsonlines", "\n\n", None, 400, "no rows"),
        ("application/jsonlines", "\n" * 3_000_000, None, 413, "MAX_ROWS"),
        ("application/jsonlines", "[1,2,3]\n", None, 400, "petal_width"),
    ],
)
def test_an_unsupported_request_gets_one_message(
    server: Server, kind: str, body: str, accept: str | None, status: int, says: str
) -> None:
    found = invoke(server, kind, body, accept)
    assert (found.status_code, list(found.json())) == (status, ["message"])
    assert says in found.json()["message"]


def test_probabilities_stand_beside_the_prediction_in_every_type(server: Server) -> None:
    body = json.dumps({"instances": ROWS, "params": {"probabilities": True}})
    whole = invoke(server, "application/json", body).json()
    assert whole["classes"] == ["setosa", "versicolor", "virginica"]
    lines = [
        json.loads(line) for line in invoke(server, "application/json", body, "application/jsonlines").iter_lines()
    ]
    cells = [line.split(",") for line in invoke(server, "application/json", body, "text/csv").text.splitlines()]
    for row, (label, shares) in enumerate(zip(whole["predictions"], whole["probabilities"], strict=True)):
        assert lines[row] == {"prediction": label, "probabilities": shares}
        assert cells[row] == [label, *map(str, shares)]


def test_ping_and_execution_parameters(server: Server) -> None:
    ping = httpx.get(f"{server.url}/ping", timeout=2)
    assert (ping.status_code, ping.content) == (200, b"")
    found = httpx.get(f"{server.url}/execution-parameters").json()
    assert found == {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}


@pytest.mark.timeout(900)  # its environment is installed first
def test_boto3_asks_for_every_kind_of_rows(server: Server) -> None:
    asked: list[list[Any]] = [[kind, None, bodies[0]] for kind, bodies in BODIES.items()]
    wrong = [["text/csv", None, "1,2,3\n"], ["text/xml", None, "x"]]
    found = ask("sagemaker", server.url, json.dumps([*asked, *wrong]))
    for (kind, _, _), (answered, body) in zip(asked, found, strict=False):
        wanted = kind.partition(";")[0].replace("x-ndjson", "jsonlines")
        usual = "application/json" if "present" in kind else wanted
        assert (answered, body) == (usual, ANSWERS[usual])
    assert [status for status, _ in found[-2:]] == [400, 415]
    assert "in this order: sepal_length" in found[-2][1]


def train(tmp_path: Path, tables: dict[str, str], channel: str = "training", **hyperparameters: str) -> Path:
    """Run `train` with these files in the channel's folder, and return the root of SageMaker's folders."""
    data, config = tmp_path / "input" / "data", tmp_path / "input" / "config"
    for name, text in tables.items():
        (data / channel / name).parent.mkdir(parents=True, exist_ok=True)
        (data / channel / name).write_text(text)
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OPT_ML": str(tmp_path)}
    command = [str(ROOT / "gunicorn" / "start-server.sh"), "train"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    (tmp_path / "log").write_text(f"{done.returncode}\n{done.stdout}{done.stderr}")
    return tmp_path


def card(root: Path, model: str = "classifier") -> dict:
    assert (root / "log").read_text().startswith("0\n"), (root / "log").read_text()
    return json.loads((root / "model" / model / "1" / "card.json").read_text())


def label_first(iris: str) -> list[str]:
    return [",".join([*line.split(",")[-1:], *line.split(",")[:-1]]) for line in iris.split()]


@pytest.mark.slow
def test_a_training_reads_all_files_of_its_channel_label_first(tmp_path: Path, iris: str) -> None:
    lines = label_first(iris)[1:]
    parts = {"a.csv": "\n".join(lines[:50]), "deeper/b.csv": "\n".join(lines[50:]) + "\n"}
    found = card(train(tmp_path, parts, target="species", epochs="3", sagemaker_region="x"))
    assert sum(found["rows"].values()) == len(lines)
    assert found["target"]["name"] == "species"
    assert [column["name"] for column in found["features"]["columns"]] == ["x1", "x2", "x3", "x4"]
    log = (tmp_path / "log").read_text()
    assert "unknown hyperparameters: epochs; these are known: target, model, force" in log
    assert not (tmp_path / "output" / "failure").exists()


@pytest.mark.slow
def test_a_header_names_the_columns_and_the_model_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    table = (ROOT / "ML" / "data" / "penguins.csv").read_text()
    found = card(train(tmp_path, {"p.csv": table}, "train", model='"regressor"', target="body_mass_g"), "regressor")
    assert found["target"]["name"] == "body_mass_g" and "island" in str(found["features"])


@pytest.mark.parametrize(
    ("tables", "hyperparameters", "says"),
    [
        ({}, {}, "contains no .csv file"),
        ({"a.csv": ""}, {}, "empty"),
        ({"a.csv": "a,1\n" * 5}, {}, "5 rows; 10 or more"),
        ({"a.csv": "y,x\na,1\n", "b.csv": "y,z\na,1\n"}, {}, "b.csv has the columns y, z; a.csv has y, x"),
        ({"a.csv": "a,1\nb,2,3\n"}, {}, "row 2 has 3 cells"),
        ({"a.csv": "a,1\nb,2\n"}, {"model": "nothing"}, "There is no model nothing"),
    ],
)
def test_a_failure_is_written_to_sagemakers_failure_file(
    tmp_path: Path, tables: dict[str, str], hyperparameters: dict[str, str], says: str
) -> None:
    root = train(tmp_path, tables, **hyperparameters)
    assert says in (root / "output" / "failure").read_text()
    assert (root / "log").read_text().startswith("1\n")


@pytest.mark.parametrize(
    ("first", "second", "target", "header"),
    [
        ("a,5", "b,6", "", False),
        ("kind,size", "b,6", "", True),
        ("kind,colour", "b,red", "", False),
        ("kind,colour", "b,red", "kind", True),
        ("1,2", "3,4", "1", False),
        ("b,,red", "a,5,blue", "", False),
        ("a,NA", "b,6", "", False),
        ("a,a", "b,6", "", False),
    ],
)
def test_a_header_is_distinguished_from_a_row(first: str, second: str, target: str, header: bool) -> None:
    assert sagemaker.has_header([first.split(","), second.split(",")], target) is header
