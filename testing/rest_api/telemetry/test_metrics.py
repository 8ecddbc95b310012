"""/metrics counts over all workers and their restarts, and the dashboard queries existing metrics."""

import json
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import promql_parser as promql
import pytest
from prometheus_client.parser import text_string_to_metric_families
from server import PASSWORD, ROOT, USER, Server, eventually

TREE = """
from sklearn.tree import DecisionTreeClassifier
def build(): return DecisionTreeClassifier(random_state=0)
def score(model, X, y): return {"accuracy": model.score(X, y)}
"""
ROW = [5.1, 3.5, 1.4, 0.2]
AWAITED = ("trainings_total", "refused_total", "predictions_total", "last_inference_timestamp_seconds")
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "fast-ml.json").read_text())
QUERIES = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start a server of its own with three workers, because tests check its counts."""
    return serve(WEB_CONCURRENCY="3")


def read(server: Server) -> dict[tuple[str, ...], float]:
    """Return the values by the sample's name and labels, written as `label=value`."""
    text = server.client.get("/metrics").raise_for_status().text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(s.name, *(f"{k}={v}" for k, v in sorted(s.labels.items()))): s.value for s in samples}


def predict(server: Server, rows: int = 1, model: str = "classifier") -> int:
    """Return the status of a prediction on a new connection, so that any worker may answer."""
    body = {"instances": [ROW] * rows}
    return httpx.post(f"{server.url}/models/{model}/predict", json=body, auth=(USER, PASSWORD)).status_code


def grows(server: Server, *key: str, by: float, since: dict[tuple[str, ...], float]) -> bool:
    """Return whether the value grows by this much and stays there. Other workers report their counts a little later."""
    return eventually(lambda: read(server).get(key, 0) - since.get(key, 0) == by)


def test_every_worker_reports_the_counts_of_all_workers(server: Server) -> None:
    before = read(server)
    for _ in range(60):
        assert predict(server, 3) == 200
    route = "route=/models/{model}/predict"
    assert grows(server, "fast_ml_requests_total", "method=POST", route, "status=200", by=60, since=before)
    assert grows(server, "fast_ml_request_duration_seconds_count", route, by=60, since=before)
    assert grows(server, "fast_ml_rows_total", "model=classifier", by=180, since=before)
    assert grows(server, "fast_ml_predictions_total", "label=setosa", "model=classifier", by=180, since=before)
    assert grows(server, "fast_ml_batch_rows_sum", "model=classifier", by=180, since=before)
    assert grows(server, "fast_ml_batch_rows_bucket", "le=4.0", "model=classifier", by=60, since=before)
    assert grows(server, "fast_ml_batch_rows_bucket", "le=2.0", "model=classifier", by=0, since=before)
    after = read(server)
    seconds = [after[s, route] - before.get((s, route), 0) for s in ("fast_ml_request_duration_seconds_sum",)]
    assert 0 < seconds[0] < 60


def folder(server: Server) -> Path:
    places = Path("/dev/shm"), Path(tempfile.gettempdir())
    return next(found for place in places for found in place.glob(f"fast-ml-metrics-{server.process.pid}-*"))


def test_a_worker_that_is_killed_takes_no_count_with_it(server: Server) -> None:
    key, before = ("fast_ml_rows_total", "model=classifier"), read(server)
    for _ in range(20):
        assert predict(server) == 200
    assert grows(server, *key, by=20, since=before)  # what was not handed on yet may be lost
    before = read(server)
    files = sorted(folder(server).iterdir())
    for _ in range(2):
        for pid in (old := server.workers):
            os.kill(pid, signal.SIGKILL)
        assert eventually(lambda old=old: len(set(server.workers) - set(old)) == 3, 30)
        assert eventually(lambda: server.client.get("/health/ready").status_code == 200, 30)
    for _ in range(30):
        assert predict(server) == 200
    assert grows(server, *key, by=30, since=before)
    # A new worker counts on in the files of the old one.
    assert sorted(folder(server).iterdir()) == files


def test_unknown_paths_create_no_new_series(server: Server) -> None:
    for place in range(30):
        server.client.get(f"/models/none{place}")
        server.client.get(f"/none/{place}")
        httpx.get(f"{server.url}/secret/{place}")
        predict(server, model=f"none{place}")
    assert eventually(lambda: ("fast_ml_refused_total", "reason=credentials") in read(server))
    routes = {label for key in read(server) for label in key if label.startswith("route=")}
    assert "route=none" in routes
    assert not [route for route in routes if re.search(r"\d", route)]


def test_classes_beyond_fifty_are_counted_together(serve: Callable[..., Server], fork: Callable[..., Path]) -> None:
    server = serve(fork(tree=TREE), BOOTSTRAP="false", DEFAULT_MODEL="tree", WEB_CONCURRENCY="1")
    labels = [f"c{n % 60:02}" for n in range(60 * 12)]
    table = "x,y\n" + "".join(f"{n % 60},{label}\n" for n, label in enumerate(labels))
    server.train(table, "y").raise_for_status()
    assert server.predict([{"x": n} for n in range(60)]).status_code == 200
    assert eventually(lambda: any(key[0] == "fast_ml_predictions_total" for key in read(server)))
    found = {key[1]: value for key, value in read(server).items() if key[0] == "fast_ml_predictions_total"}
    assert len(found) == 51 and sum(found.values()) == 60


def test_trainings_versions_loads_and_refusals_are_counted(server: Server, iris: str) -> None:
    before = read(server)
    version = server.train(iris, "species").raise_for_status().json()["version"]
    assert server.train(iris + "1e999,1,1,1,setosa\n", "species").status_code == 422
    assert httpx.get(f"{server.url}/models").status_code == 401
    predict(server)
    assert grows(server, "fast_ml_trainings_total", "model=classifier", "outcome=ready", by=1, since=before)
    assert grows(server, "fast_ml_refused_total", "reason=credentials", by=1, since=before)
    found = read(server)
    assert found["fast_ml_model_version", "model=classifier"] == version
    age = found["fast_ml_model_trained_timestamp_seconds", "model=classifier"]
    assert age > before["fast_ml_model_trained_timestamp_seconds", "model=classifier"]
    loads = "fast_ml_loads_total", "model=classifier", "outcome=loaded"
    assert eventually(lambda: read(server)[loads] >= 4)  # idle workers hand on what they counted later
    assert found["fast_ml_load_seconds_sum", "model=classifier"] > 0
    assert found[("fast_ml_queue_rows",)] == found[("fast_ml_queue_age_seconds",)] == 0


def test_the_files_go_with_the_server(serve: Callable[..., Server]) -> None:
    server = serve(BOOTSTRAP="false", WEB_CONCURRENCY="1")
    server.client.get("/models")
    files = folder(server)
    assert eventually(lambda: any(files.glob("counts_*.json")))
    server.stop()
    assert not files.exists()


def asked_for(query: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Return the names and label conditions of all vectors in a query. Grafana's range variable is replaced."""
    text = promql.parse(query.replace("$__rate_interval", "1m")).prettify()
    for name, labels in re.findall(r"(fast_ml_\w+)(?:{([^}]*)})?", text):
        yield name, re.findall(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"', labels)


@pytest.fixture(scope="module")
def samples(server: Server, iris: str) -> dict[str, list[dict[str, str]]]:
    """Return the labels of all samples after each kind of event has happened."""
    server.train(iris, "species").raise_for_status()
    httpx.get(f"{server.url}/models")
    predict(server)
    server.predict_csv("nonsense")
    matrix = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
    server.client.post("/v2/models/classifier/infer", json={"inputs": [matrix]}).raise_for_status()
    found: dict[str, list[dict[str, str]]] = {}

    def all_there() -> bool:
        for name, *labels in read(server):
            found.setdefault(name, []).append(dict(label.split("=", 1) for label in labels))
        return {f"fast_ml_{name}" for name in AWAITED} <= set(found)

    assert eventually(all_there)
    return found


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_the_dashboard_queries_existing_metrics(samples: dict[str, Any], title: str, query: str) -> None:
    asked = list(asked_for(query))
    assert asked, title
    for name, conditions in asked:
        assert name in samples, f"{title}: no {name}"
        for label, value in conditions:
            assert any(re.fullmatch(value, sample.get(label, "")) for sample in samples[name]), (title, label, value)
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        for label in filter(None, re.split(r",\s*", grouped)):
            names = [name for name, _ in asked]
            assert all(any(label in sample for sample in samples[name]) for name in names), (title, label)


def test_the_dashboard_leaves_nothing_out(samples: dict[str, Any]) -> None:
    asked = {name for _, query in QUERIES for name, _ in asked_for(query)}
    stems = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in samples if name.startswith("fast_ml_")}
    assert stems == {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
