"""Generated tables: training and prediction never fail, and CSV and JSON get the same predictions.

With CI set, 300 tables. 240 of them, half for each model and half of these compiled, are trained, loaded and predicted
in this process, by the functions that the server and its training process call. 60 go through the real server, two at
a time, where each training is a process of its own. Elsewhere 20 and 6.
"""

import csv
import io
import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import TARGETS, examples, tables

from ML.config.config import settings
from ML.prediction import loading
from ML.schema import csv_rows
from ML.tables import reading
from ML.training import run

pytestmark = pytest.mark.usefixtures("without_coverage")


def write(found, separator=","):
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([list(found), *zip(*found.values(), strict=True)])
    return out.getvalue()


def as_json(cell, column):
    """Return the JSON value for a cell of a learned column, the inverse of the table of cell meanings."""
    kind = column["kind"]
    if not cell.strip() and (kind != "text" or not cell):
        return None
    if kind == "number":
        return None if cell.strip().lower() in ("na", "nan", "null", "none", "-") else json.loads(repr(float(cell)))
    if kind == "flag":
        words = column["words"]
        return cell if words[0] == "no" else cell.strip().lower() in ("true", "1")
    return cell


def instances(found, features):
    rows = zip(*(found[column["name"]] for column in features), strict=True)
    return [{c["name"]: as_json(cell, c) for c, cell in zip(features, row, strict=True)} for row in rows]


def same_value(a, b):
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_value, a, b))
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) if isinstance(a, float) else (type(a), a) == (type(b), b)


@pytest.fixture(scope="module")
def server(serve):
    """A server that only this file trains."""
    return serve(coverage=False)


@pytest.fixture(scope="module", params=["auto", "sklearn"])
def store(request, tmp_path_factory):
    """Set up an empty store for trainings in this process, with or without compiling."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME", request.param)
        patch.setenv("MODELS_DIR", str(tmp_path_factory.mktemp("random")))
        patch.setenv("KEEP_VERSIONS", "1")
        settings.cache_clear()
        yield
    settings.cache_clear()


def predicted(live, columns):
    answer = live.predict(live.table(columns), live.card.probabilities)
    return [answer.predictions, answer.probabilities]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", TARGETS)
@examples(60, 5)
@given(st.data(), st.sampled_from(reading.SEPARATORS))
def test_any_table_trains_and_csv_and_json_get_the_same_predictions(store, model, data, separator):
    """Train and publish in this process, then load and predict from CSV and JSON."""
    found = data.draw(tables(model))
    csv_file = write(found, separator).encode()
    live = loading.load(model, run.run(model, csv_file, "y", "command").version)
    columns, labels = csv_rows.from_table(live.schema, reading.read(csv_file, 10**7), "y", 1000)
    by_csv = predicted(live, columns)
    rows = instances(found, [column.model_dump() for column in live.schema.columns])
    for body in (rows, [list(row.values()) for row in rows]):
        asked = live.instances.parse(json.dumps({"instances": body}).encode(), 1000)
        assert same_value(by_csv, predicted(live, asked.columns))
    assert labels and labels == found["y"]
    known = {(type(label), label) for label in live.target.convert(labels).tolist()}
    assert model == "regressor" or {(type(label), label) for label in by_csv[0]} <= known


def through(server, model, found, separator):
    """Train, predict a CSV file and JSON bodies, one row and all of them."""
    classify = model == "classifier"
    trained = server.train(write(found, separator), "y", model=model)
    assert trained.status_code == 200, trained.text
    answer = server.predict_csv(write(found, separator), model=model, probabilities=str(classify).lower())
    assert answer.status_code == 200 and ("accuracy" if classify else "r2") in answer.json(), answer.text
    by_csv = answer.json()
    rows = instances(found, server.client.get(f"/models/{model}").json()["live"]["features"]["columns"])
    for body in (rows, [list(row.values()) for row in rows], rows[:1]):
        by_json = server.predict(body, model, probabilities=classify)
        assert by_json.status_code == 200, by_json.text
        for part in ("predictions", "probabilities") if classify else ("predictions",):
            assert same_value(by_csv[part][: len(body)], by_json.json()[part])
        assert by_json.json()["model_version"] == trained.json()["version"]


@pytest.mark.timeout(900)
@examples(30, 3)
@given(tables("classifier"), tables("regressor"), st.sampled_from(reading.SEPARATORS))
def test_the_server_trains_and_predicts_any_two_tables_at_once(server, labelled, measured, separator):
    with ThreadPoolExecutor(2) as both:
        jobs = [
            both.submit(through, server, "classifier", labelled, separator),
            both.submit(through, server, "regressor", measured, separator),
        ]
        for job in jobs:
            job.result()
