"""Trainings that are killed and endless retrains under load: the live version always answers correctly."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from busy_callers import Answers, busy_callers
from projects import MAJORITY, PLAIN
from server import Server, eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

BOTH = {"x": 1, "z": 1}


def table(label: str, column: str, rows: int = 60) -> str:
    """Return one of two tables with different columns. Its version predicts the label and ignores the other column."""
    other = {"a": "b", "b": "a"}[label]
    return f"{column},y\n" + "".join(f"{i},{[label, label, other][i % 3]}\n" for i in range(rows))


TABLES = {"a": table("a", "x"), "b": table("b", "z")}
TRUTH = {"a": ["z"], "b": ["x"]}


@pytest.fixture
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    project = fork(plain=PLAIN.format(answer=MAJORITY))
    return serve(project, BOOTSTRAP="false", DEFAULT_MODEL="plain", WEB_CONCURRENCY="4", LOG_LEVEL="warning")


def check(answers: Answers, labels: dict[int, str]) -> None:
    """Check that no request failed, and that each answer is from the version it names."""
    assert len(answers) > 100 and {status for status, _ in answers} == {200}
    for _, body in answers:
        label = labels[body["model_version"]]
        assert (body["predictions"], body["ignored_columns"]) == ([label], TRUTH[label])


def begin(server: Server, label: str) -> int:
    answer = server.client.post(
        "/train_model",
        files={"csv_file": TABLES[label]},
        data={"target_variable": "y", "force": "true"},
        headers={"Prefer": "respond-async"},
    )
    assert answer.status_code == 202, answer.text
    return int(answer.json()["version"])


def view(server: Server, version: int) -> dict[str, Any]:
    return dict(server.client.get(f"/models/plain/versions/{version}").json())


def test_a_training_killed_at_fifty_random_moments_harms_nothing(server: Server) -> None:
    chance, labels, ends = random.Random(0), {1: "a"}, []
    assert server.train(TABLES["a"], "y").json()["version"] == 1
    with busy_callers(server.url, BOTH) as answers:
        for turn in range(50):
            label = "bbaa"[turn % 4]
            version = begin(server, label)
            labels[version] = label
            pid = int((server.models_dir / "plain" / "training").read_text().split()[1])
            if turn % 2:  # libraries take most of its time; what it writes comes after
                assert eventually(lambda v=version: view(server, v)["stage"] != "waiting", 30)
                time.sleep(chance.uniform(0, 0.12))
            else:
                time.sleep(chance.uniform(0, 1))
            os.kill(pid, signal.SIGKILL) if Path(f"/proc/{pid}").exists() else None
            # How soon, test_jobs.py tells: other tests may run beside this one.
            assert eventually(lambda v=version: view(server, v)["status"] != "training", 10)
            ends.append(view(server, version)["status"])
    check(answers, labels)
    assert ends.count("failed") >= 20, f"most were over before they were killed: {ends}"
    assert server.train(TABLES["a"], "y", force="true").json()["live"] is True
    folder = server.models_dir / "plain"
    assert sorted(path.name for path in folder.iterdir() if not path.name.isdigit()) == ["current", "lock", "training"]
    for version in (path for path in folder.iterdir() if path.name.isdigit()):
        state = view(server, int(version.name))["state"]
        expected = ["card.json"] if state == "failed" else ["card.json", "model.skops"]
        assert sorted(path.name for path in version.iterdir()) == expected


def memory(server: Server) -> float:
    """Return the memory of the workers in MB. Shared pages count proportionally."""
    assert len(server.workers) == 4
    rollups = [Path(f"/proc/{worker}/smaps_rollup").read_text() for worker in server.workers]
    return sum(int(text.partition("\nPss:")[2].split()[0]) for text in rollups) / 1024


def test_fifty_retrains_of_two_tables_under_load_fail_no_request_and_keep_no_memory(server: Server) -> None:
    labels, used = {1: "a"}, []
    assert server.train(TABLES["a"], "y").json()["version"] == 1
    with busy_callers(server.url, BOTH) as answers:
        for turn in range(1, 51):
            label = "ab"[turn % 2]
            labels[turn + 1] = label
            trained = server.train(TABLES[label], "y", force="true").json()
            assert (trained["version"], trained["live"]) == (turn + 1, True)
            used.append(memory(server))
    check(answers, labels)
    early, late = min(used[8:14]), min(used[44:])
    assert late - early < 20, f"{early:.0f} MB after ten retrains, {late:.0f} MB after fifty"
