"""Compiled versions in the server: what is loaded, what is refused, and when scikit-learn predicts instead."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cards import write_sealed
from fitted_models import people
from server import ROOT, Server

TABLE = people(150)
NAMES = [name for name in TABLE if name != "y"]
CSV = "\n".join(",".join(cells) for cells in [list(TABLE), *zip(*TABLE.values(), strict=True)]) + "\n"
ROWS: list[dict[str, Any]] = [
    {"age": 41.5, "fare": 20.25, "rooms": 2, "vip": True, "since": "2013-02-11", "town": "Oslo", "grade": "a"},
    {"age": None, "fare": 1e30, "rooms": -7, "vip": None, "since": "2030-01-01", "town": None, "grade": "b"},
    {"age": 0.1, "fare": 0, "rooms": 5, "vip": "no", "since": "1950-01-01", "town": "Atlantis", "grade": "\u2028"},
]


def same_values(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_values, a, b))
    return bool(a == pytest.approx(b, rel=1e-9, abs=1e-12)) if isinstance(a, float) else bool(a == b)


def answers(server: Server, version: int) -> list[Any]:
    """Return predictions and probabilities of JSON rows and of the table."""
    by_json = server.predict(ROWS, probabilities=True)
    by_csv = server.predict_csv(CSV, probabilities="true")
    assert [by_json.status_code, by_csv.status_code] == [200, 200], by_json.text + by_csv.text
    assert by_json.json()["model_version"] == by_csv.json()["model_version"] == version
    return [by.json()[part] for by in (by_json, by_csv) for part in ("predictions", "probabilities")]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start one worker whose first version is compiled."""
    server = serve(BOOTSTRAP="false", WEB_CONCURRENCY="1", KEEP_VERSIONS="20")
    trained = server.train(CSV, "y")
    assert trained.status_code == 200, trained.text
    return server


@pytest.fixture(scope="module")
def compiled(server: Server) -> list[Any]:
    """Return the answers of the compiled version."""
    return answers(server, 1)


def copied(server: Server, change: Callable[[Path, dict[str, Any]], None]) -> int:
    """Copy the first version, change the copy, make it live, and return its number."""
    store = server.models_dir / "classifier"
    number = max(int(path.name) for path in store.iterdir() if path.name.isdigit()) + 1
    shutil.copytree(store / "1", store / str(number))
    card = json.loads((store / "1" / "card.json").read_text()) | {"version": number}
    change(store / str(number), card)
    write_sealed(store / str(number) / "card.json", card)
    (store / "current").write_text(f"{number}\n")
    return number


@pytest.mark.exclusive
def test_the_card_says_what_was_compiled_and_how_fast_it_is(server: Server, compiled: list[Any]) -> None:
    entry = server.client.get("/models/classifier/versions/1").json()["compiled"]
    assert entry["used"] and not entry["why"] and entry["rows"] > 2000 and entry["difference"] <= 1e-9
    assert list(entry["seconds"]) == ["1", "32", "10000"]
    assert all(took["compiled"] < 1.1 * took["original"] for took in entry["seconds"].values())
    assert "served by scikit-learn" not in server.log


def test_rows_and_tables_are_answered_as_scikit_learn_answers_them(
    serve: Callable[..., Server], server: Server, compiled: list[Any]
) -> None:
    store = server.models_dir.parent / "other"
    shutil.copytree(server.models_dir, store)
    (store / "classifier" / "current").write_text("1\n")
    plain = serve(BOOTSTRAP="false", WEB_CONCURRENCY="1", MODELS_DIR=str(store), RUNTIME="sklearn")
    assert same_values(answers(plain, 1), compiled)
    assert plain.logs("classifier/1 is served by scikit-learn: RUNTIME is sklearn")
    trained = plain.train(CSV, "y", force="true").json()["version"]
    entry = plain.client.get(f"/models/classifier/versions/{trained}").json()["compiled"]
    assert not entry["used"] and entry["why"] == "RUNTIME was sklearn when it was trained"
    assert not (store / "classifier" / str(trained) / "compiled.onnx").exists()


def another_runtime(folder: Path, card: dict[str, Any]) -> None:
    card["compiled"]["runtime"] = "1.0.0"


def no_file(folder: Path, card: dict[str, Any]) -> None:
    (folder / "compiled.onnx").unlink()


def no_graph(folder: Path, card: dict[str, Any]) -> None:
    (folder / "compiled.onnx").write_bytes(b"no graph")
    card["compiled"]["sha256"] = hashlib.sha256(b"no graph").hexdigest()


def another_answer(folder: Path, card: dict[str, Any]) -> None:
    """Swap the labels, so that the card's check rows reveal the change."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string((folder / "compiled.onnx").read_bytes())
    for node in graph.graph.node:
        for attribute in node.attribute:
            if attribute.name == "leaf_weights":
                values = -numpy_helper.to_array(attribute.t)
                attribute.t.CopyFrom(numpy_helper.from_array(values))
    data = graph.SerializeToString()
    (folder / "compiled.onnx").write_bytes(data)
    card["compiled"]["sha256"] = hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (another_runtime, "it was compiled for onnxruntime 1.0.0, but "),
        (no_file, "compiled.onnx is missing"),
        (no_graph, "onnxruntime can't run "),
        (another_answer, "compiled, it answers its check rows differently than when it was trained"),
    ],
)
def test_a_version_that_can_not_be_served_compiled_is_served_by_scikit_learn(
    server: Server, compiled: list[Any], change: Callable[[Path, dict[str, Any]], None], why: str
) -> None:
    number = copied(server, change)
    assert same_values(answers(server, number), compiled)
    assert server.logs(f"classifier/{number} is served by scikit-learn")
    said = [line for line in server.log.splitlines() if f"classifier/{number} is served by scikit-learn" in line]
    assert len(said) == 1 and why in said[0]


def other_bytes(folder: Path, card: dict[str, Any]) -> None:
    data = bytearray((folder / "compiled.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "compiled.onnx").write_bytes(data)


def other_original(folder: Path, card: dict[str, Any]) -> None:
    with (folder / "model.skops").open("ab") as file:
        file.write(b" ")


@pytest.mark.parametrize(("change", "file"), [(other_bytes, "compiled.onnx"), (other_original, "model.skops")])
def test_a_file_that_was_tampered_with_is_refused_and_the_last_version_serves_on(
    server: Server, change: Callable[[Path, dict[str, Any]], None], file: str
) -> None:
    before = copied(server, lambda folder, card: None)
    assert server.predict(ROWS).json()["model_version"] == before
    number = copied(server, change)
    assert server.predict(ROWS).json()["model_version"] == before
    assert server.logs(f"classifier/{number}/{file} is not the file that was published: its SHA-256 differs")
    promoted = server.client.put("/models/classifier/current", json={"version": number})
    assert promoted.status_code == 422 and f"{file} is not the file that was published" in promoted.text


@pytest.mark.exclusive
def test_a_row_that_an_encoder_refuses_is_422_and_its_neighbours_are_answered(
    serve: Callable[..., Server], fork: Callable[..., Path]
) -> None:
    source = """
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

def build():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encode = make_column_transformer((numbers, make_column_selector(dtype_include="number")), remainder=OneHotEncoder())
    return make_pipeline(encode, LogisticRegression())

def score(model, X, y):
    return {"accuracy": model.score(X, y)}
"""
    server = serve(fork(strict=source), BOOTSTRAP="false", WEB_CONCURRENCY="1")
    trained = server.train(CSV, "y", model="strict")
    assert trained.status_code == 200, trained.text
    assert server.client.get("/models/strict").json()["live"]["compiled"]["used"]
    good, bad = ROWS[0], ROWS[0] | {"town": "Atlantis"}
    refused = server.predict([bad], "strict")
    assert refused.status_code == 422 and "a value of town, grade was not in the training data" in refused.text
    assert server.predict([good], "strict").status_code == 200


def test_the_server_imports_no_converter_and_no_runtime_before_it_loads_a_model() -> None:
    code = "import sys, wsgi; print([name for name in ('onnx', 'onnxruntime') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"


def test_a_worker_loads_a_compiled_model_without_scikit_learns_form_of_it_and_without_the_converter(
    server: Server,
) -> None:
    code = """if True:
        import sys
        from ML.prediction import loading
        found = loading.load("classifier", 1)
        print(type(found.model).__name__, "onnx" in sys.modules, "onnxruntime" in sys.modules)"""
    environment = server.environment | {"RUNTIME": "auto"}
    found = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment, text=True)
    assert found == "Compiled False True\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "why"), [("onnx", "It can't be compiled without onnx"), ("onnxruntime", "It can't be run: ")]
)
def test_without_its_packages_a_training_publishes_what_scikit_learn_serves(
    tmp_path: Path, package: str, why: str
) -> None:
    """A module that is None in `sys.modules` can't be imported, as if it were not installed."""
    code = f"""if True:
        import sys
        sys.modules[{package!r}] = None
        from ML.prediction import loading
        from ML.training import run
        card = run.run("classifier", {CSV.encode()!r}, "y", "command")
        print(card.compiled.used, card.compiled.why, type(loading.load("classifier", 1).model).__name__)"""
    environment = {**os.environ, "MODELS_DIR": str(tmp_path)}
    found = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment, text=True)
    assert found.startswith(f"False {why}") and found.endswith(" Pipeline\n")
    assert not list(tmp_path.rglob("*.onnx"))
