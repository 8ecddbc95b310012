"""Trainings that fail or have unusual results: what is kept and reported, and that the live version stays."""

import fcntl
import json
import os
import subprocess
import sys

import pytest
from projects import FAILS, FOREIGN, LINEAR, MAJORITY, ONE_HOT, PLAIN, project, table

__all__ = ["project"]


def test_a_failed_training_keeps_its_card_with_the_reason_and_nothing_else(project):
    of = project(fails=FAILS)
    found = of.train("fails", table())
    assert found.returncode == 1
    card = of.card("fails", 1)
    assert [card["state"], card["stage"], of.live("fails")] == ["failed", "fit", None]
    assert "division by zero" in card["error"]
    assert [path.name for path in (of.store / "fails" / "1").iterdir()] == ["card.json"]


def test_a_failed_training_leaves_the_live_version_as_it_is(project):
    of = project()
    of.add_version()
    found = of.train("classifier", table(5))
    assert found.returncode == 1 and "the table has 5 rows; 10 or more are needed" in found.stderr
    assert [of.live(), of.card("classifier", 2)["state"], of.card("classifier", 2)["error_status"]] == [
        1,
        "failed",
        422,
    ]


def test_an_estimator_that_skops_can_not_save_names_the_settings_that_help(project):
    of = project(foreign=FOREIGN)
    found = of.train("foreign", table())
    assert found.returncode == 1 and "fractions.Fraction" in found.stderr
    assert "TRUSTED_TYPES" in found.stderr and "ALLOW_JOBLIB=true" in found.stderr and "Traceback" not in found.stderr
    assert of.card("foreign", 1)["error_status"] == 422
    assert of.train("foreign", table(), ALLOW_JOBLIB="true").returncode == 0
    assert of.card("foreign", 2)["file"] == "model.joblib" and of.live("foreign") == 2


def test_a_text_column_without_a_frequent_value_suits_a_strict_encoder(project):
    """Synthetic rows must not contain text that the pipeline never saw, as OneHotEncoder refuses it by default."""
    of = project(onehot=ONE_HOT)
    rows = "".join(f"{i},town{i % 30},{'ab'[i % 2]}\n" for i in range(600))
    found = of.train("onehot", "n,town,y\n" + rows)
    assert found.returncode == 0, found.stderr


def test_a_strict_encoder_that_meets_a_new_word_among_the_held_out_rows_is_no_fault_of_the_server(project):
    of = project(onehot=ONE_HOT)
    rows = "".join(f"{i},town{i},{'ab'[i % 2]}\n" for i in range(100))
    found = of.train("onehot", "n,town,y\n" + rows)
    assert "Traceback" not in found.stderr
    assert of.card("onehot", 1)["state"] == "ready" or of.card("onehot", 1)["error_status"] == 422


@pytest.mark.parametrize("score", ['{"r2": float("nan")}', '{"r2": float("inf")}', "{}", '{"n": 1, "m": True}'])
def test_an_undefined_score_spoils_no_version_after_it(project, score):
    of = project(
        plain=PLAIN.format(answer=MAJORITY).rpartition("def score")[0] + f"def score(model, X, y): return {score}\n"
    )
    for version in (1, 2):
        found = of.train("plain", table())
        assert found.returncode == 0, found.stderr
        assert of.live("plain") == version and of.card("plain", version)["state"] == "ready"


def test_a_model_that_predicts_nan_can_be_loaded_again(project):
    of = project(plain=PLAIN.format(answer='float("nan")'))
    found = of.train("plain", table(target=lambda i: i / 7))
    assert found.returncode == 0, found.stderr
    code = "from ML.prediction import loading; print(loading.load('plain', 1).name)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=of.folder,
        env={**os.environ, "MODELS_DIR": str(of.store)},
        capture_output=True,
        text=True,
    )
    assert loaded.stdout == "plain/1\n", loaded.stderr


@pytest.mark.parametrize("broken", ["", "{", '{"model": "classifier"}'])
def test_a_card_that_can_not_be_read_spoils_no_other_version(project, broken):
    of = project()
    of.add_version()
    (of.store / "classifier" / "2").mkdir()
    (of.store / "classifier" / "2" / "card.json").write_text(broken)
    found = of.train("classifier", table())
    assert found.returncode == 0, found.stderr
    assert of.live() == 3 and of.card("classifier", 3)["state"] == "ready"
    assert (of.store / "classifier" / "3" / "model.skops").exists()


def test_a_training_whose_process_died_is_marked_failed_by_the_next(project):
    of = project()
    of.add_version()
    dead = of.card("classifier", 1) | {"version": 2, "state": "training"}
    (of.store / "classifier" / "2").mkdir()
    (of.store / "classifier" / "2" / "card.json").write_text(json.dumps(dead))
    (of.store / "classifier" / "2" / "upload.csv").write_text("x")
    assert of.train("classifier", table()).returncode == 0
    assert [of.card("classifier", 2)["state"], of.live()] == ["failed", 3]
    assert "The training process ended unexpectedly" in of.card("classifier", 2)["error"]
    assert [path.name for path in (of.store / "classifier" / "2").iterdir()] == ["card.json"]


def test_one_training_of_a_model_runs_at_a_time(project):
    of = project(regressor=LINEAR)
    assert of.train("classifier", table()).returncode == 0
    with (of.store / "classifier" / "training").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = of.train("classifier", table())
        assert found.returncode == 1 and "is in training; try again when it has ended" in found.stderr
        assert of.train("regressor", table(target=lambda i: i + 0.5)).returncode == 0
    assert of.train("classifier", table()).returncode == 0


def test_a_model_moved_by_hand_while_training_holds_the_new_version_back(project):
    moves = PLAIN.format(answer=MAJORITY).replace("def fit(self, X, y):", """def fit(self, X, y):
        from pathlib import Path
        Path('store/plain/current').write_text('1\\n')""")  # fmt: skip
    of = project(plain=PLAIN.format(answer=MAJORITY))
    for _ in range(2):
        assert of.train("plain", table()).returncode == 0
    (of.folder / "ML" / "src" / "plain.py").write_text(moves)
    assert of.train("plain", table()).returncode == 0
    assert [of.live("plain"), of.card("plain", 3)["state"]] == [1, "ready"]
    assert "held back" in of.card("plain", 3)["notes"][-1]
