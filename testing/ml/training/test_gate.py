"""The holdout gate: worse versions are held back, honest retrains go live, and the scores are reported."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from server import Server, eventually
from sklearn.datasets import make_classification

from ML.config.config import settings
from ML.training import estimators, run
from ML.training.stages import gate, holdout
from ML.versions import files, model_file, store

pytestmark = pytest.mark.slow

NAMES = list("abcdef")


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Set up an empty store, and return a function that changes settings. No gate needs a compiled form."""

    def configure(**given):
        for name, value in {"MODELS_DIR": str(tmp_path), "RUNTIME": "sklearn", **given}.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    configure()
    yield configure
    monkeypatch.undo()
    settings.cache_clear()


def rows(count, seed):
    """Return rows of three overlapping classes, which no model can separate completely."""
    X, y = make_classification(count, 6, n_informative=4, n_classes=3, flip_y=0.1, class_sep=0.8, random_state=seed)
    return pd.DataFrame(X.round(4), columns=NAMES), np.array([f"k{label}" for label in y], dtype=object)


def csv(X, y, target="y"):
    return X.assign(**{target: y}).to_csv(index=False).encode()


def train(X, y, force=False, target="y"):
    return run.run("classifier", csv(X, y, target), target, "command", force)


def holdout_rows(X, y, share=0.2):
    return holdout.mask(X, y, share, True)


def spoilt(X, y, seed=0):
    """Shuffle the labels of the training rows. Those of the held-out rows stay correct."""
    y, rest = y.copy(), np.flatnonzero(~holdout_rows(X, y))
    y[rest] = np.random.default_rng(seed).permutation(y[rest])
    return y


def accuracy(model, X, y):
    return next(iter(estimators.load("classifier").score(model, X, y).values()))


def test_ten_honest_retrains_on_the_old_table_and_new_rows_all_go_live_where_a_naive_gate_stops_them(empty):
    """A naive gate compares on rows drawn from the new upload, most of which the live version was fitted to."""
    went_live, naive = 0, 0
    for seed in range(10):
        X, y = rows(450, seed)
        before = train(X[:300], y[:300], force=True)
        card = train(X, y)
        assert card.gate and card.gate.rows == card.rows["holdout"]
        went_live += store.current("classifier") == card.version
        drawn = np.random.default_rng(seed).random(len(X)) < 0.2
        new = estimators.load("classifier").build().fit(X[~drawn], y[~drawn])
        old = model_file.load(files.folder("classifier", before.version) / before.file, before.sha256)
        naive += accuracy(old, X[drawn], y[drawn]) - accuracy(new, X[drawn], y[drawn]) > 0.01
    assert (went_live, naive) == (10, 10)


def test_the_live_version_was_fitted_to_none_of_the_rows_that_are_compared(empty):
    """Compared are rows of the old table that it was not fitted to, and rows that are new in the upload."""
    X, y = rows(400, 1)
    fitted = {tuple(row) for row in X[:250][~holdout_rows(X[:250], y[:250])].to_numpy().tolist()}
    compared = {tuple(row) for row in X[holdout_rows(X, y)].to_numpy().tolist()}
    assert compared and not compared & fitted


def test_a_version_that_got_worse_is_kept_but_not_live(empty):
    X, y = rows(600, 2)
    train(X, y)
    card = train(X, spoilt(X, y))
    assert (card.state, card.held_back, store.current("classifier")) == ("ready", True, 1)
    assert card.gate and card.gate.worse and card.gate.new < card.gate.live - 0.1
    assert f"accuracy is {card.gate.new:.4g} on {card.gate.rows} held-out rows" in card.notes[-1]
    assert f"version 1, which was live, has {card.gate.live:.4g}" in card.notes[-1]
    assert train(X, spoilt(X, y), force=True).forced and store.current("classifier") == 3


def test_the_tolerance_is_a_setting(empty):
    X, y = rows(600, 3)
    train(X, y)
    empty(GATE_TOLERANCE="0.9")
    card = train(X, spoilt(X, y))
    assert not card.held_back and card.gate and not card.gate.worse and store.current("classifier") == 2


def test_a_difference_that_may_be_chance_holds_nothing_back(empty):
    """Three rows of fourteen are 21 %, but still only three rows."""
    for lost, told_apart in ((1, False), (3, False), (6, True)):
        right = np.arange(14) >= lost
        error = gate.standard_error(lambda chosen, right=right: float(1 - right[chosen].mean()), 14)
        assert (lost / 14 > gate.BEYOND_CHANCE * error) == told_apart


def test_the_standard_error_is_that_of_a_mean():
    values = np.random.default_rng(0).normal(size=2000)
    found = gate.standard_error(lambda chosen: float(values[chosen].mean()), len(values))
    assert found == pytest.approx(1 / np.sqrt(2000), rel=0.4)


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        (lambda X, y: (X.rename(columns={"a": "z"}), y, "y"), "the columns are not those of version 1"),
        (lambda X, y: (X.assign(a=[f"t{v}" for v in X["a"]]), y, "y"), "the columns are not those of version 1"),
        (lambda X, y: (X, y, "other"), "the target is not that of version 1"),
        (lambda X, y: (X, np.array([int(v[1]) for v in y]), "y"), "the target is not that of version 1"),
        (lambda X, y: (X[:30], y[:30], "y"), "are too few"),
    ],
)
def test_a_version_that_can_not_be_compared_goes_live_with_a_note(empty, changed, note):
    X, y = rows(200, 4)
    first = train(X, y)
    assert "not compared with a live version: this is the first" in first.notes
    X, y, target = changed(X, y)
    card = train(X, y, target=target)
    assert note in card.notes[-1] and card.gate is None
    assert store.current("classifier") == 2


def test_a_live_file_that_can_not_be_read_stops_no_training(empty, tmp_path):
    X, y = rows(200, 5)
    train(X, y)
    (tmp_path / "classifier" / "1" / "model.skops").write_bytes(b"broken")
    card = train(X, y)
    assert "version 1 can't be scored on these rows" in card.notes[-1] and store.current("classifier") == 2


def test_rows_that_a_smaller_share_let_the_live_version_be_fitted_to_are_left_out(empty):
    X, y = rows(600, 6)
    empty(HOLDOUT="0.1")
    train(X, y)
    empty(HOLDOUT="0.4")
    card = train(X, y)
    assert card.gate and card.gate.rows == holdout_rows(X, y, 0.1).sum() < card.rows["holdout"]


def test_rows_of_a_rare_class_that_the_live_version_was_fitted_to_are_left_out(empty):
    X, y = rows(300, 7)
    y[np.flatnonzero(holdout_rows(X, y))[:2]] = "rare"  # in the first table this class is all held out, so all fitted
    assert train(X, y).kept == ["rare"]
    more, labels = rows(300, 8)
    labels[:100] = "rare"
    X, y = pd.concat([X, more], ignore_index=True), np.concatenate([y, labels])
    card = train(X, y)
    assert card.kept == [] and card.gate
    assert card.gate.rows == (holdout_rows(X, y) & (y != "rare")).sum() < card.rows["holdout"]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(BOOTSTRAP="false")


def test_the_answer_says_what_is_held_back_and_force_or_a_person_make_it_live(server: Server) -> None:
    X, y = rows(600, 9)
    assert server.train(csv(X, y), "y").json()["gate"] is None
    worse = csv(X, spoilt(X, y))
    kept = server.train(worse, "y").json()
    assert (kept["live"], kept["held_back"], kept["version"]) == (False, True, 2)
    assert kept["gate"]["new"] < kept["gate"]["live"] and "force=true" in kept["notes"][-1]
    url = "/models/classifier/versions/2"
    assert server.client.get(url).json()["status"] == "held back"
    row = dict(X.iloc[0])
    assert server.predict([row]).json()["model_version"] == 1
    again = server.train(worse, "y").json()
    assert (again["version"], again["trained"], again["live"]) == (2, False, False)
    forced = server.train(worse, "y", force="true").json()
    assert (forced["version"], forced["live"], forced["held_back"]) == (3, True, False)
    assert server.predict([row]).json()["model_version"] == 3
    assert server.client.put("/models/classifier/current", json={"version": 2}).json()["status"] == "live"
    server.client.put("/models/classifier/current", json={"version": 1})
    assert server.client.get(url).json()["status"] == "ready"
    assert server.logs("PUT /models/classifier/current 200") and server.logs("admin classifier/2")


def test_the_same_upload_is_not_trained_twice(server: Server) -> None:
    X, y = rows(120, 10)
    first, other = csv(X, y), csv(X.rename(columns={"a": "z"}), y)
    one = server.train(first, "y").json()
    same = server.train(first, "y").json()
    assert (same["version"], same["trained"], same["live"], one["trained"]) == (one["version"], False, True, True)
    assert f"nothing was trained: version {one['version']}" in same["notes"][-1]
    two = server.train(other, "y").json()
    assert two["version"] == one["version"] + 1
    back = server.train(first, "y").json()
    assert (back["version"], back["live"]) == (one["version"], True), "the one that is asked for goes live again"
    assert server.predict([dict(X.iloc[0])]).json()["model_version"] == one["version"]
    forced = server.train(first, "y", force="true").json()
    assert (forced["version"], forced["trained"]) == (two["version"] + 1, True)


def test_a_version_whose_code_has_changed_says_so_and_its_upload_is_trained_anew(
    serve: Callable[..., Server], fork: Callable[..., Path]
) -> None:
    project = fork()
    server = serve(project, BOOTSTRAP="false", WEB_CONCURRENCY="1")
    X, y = rows(120, 11)
    server.train(csv(X, y), "y").raise_for_status()
    assert server.client.get("/models/classifier").json()["live"]["code_changed"] is False
    source = project / "ML" / "src" / "classifier.py"
    source.write_text(source.read_text() + "\n# edited\n")
    assert server.client.get("/models/classifier").json()["live"]["code_changed"] is True
    server.stop()
    server = serve(project, BOOTSTRAP="false", WEB_CONCURRENCY="1", MODELS_DIR=str(server.models_dir))
    for _ in range(3):
        server.predict([dict(X.iloc[0])]).raise_for_status()
    said = "ML/src has changed since classifier/1 was trained; train it again"
    assert eventually(lambda: server.log.count(said) == 1)
    again = server.train(csv(X, y), "y").json()
    assert (again["version"], again["trained"]) == (2, True)
    assert server.client.get("/models/classifier").json()["live"]["code_changed"] is False
