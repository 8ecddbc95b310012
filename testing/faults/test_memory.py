"""The server stops a training that needs too much memory, before the kernel's OOM killer stops any process."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from busy_callers import busy_callers, distinct_answers
from containers import Container, curl, docker, image, run

__all__ = ["image", "run"]
pytestmark = pytest.mark.faults

PASSWORD = "only for this test"
MEMORY = "700m"
HUNGRY = """
import numpy as np
class Hungry:
    def fit(self, X, y):
        kept = []
        while len(X) > 100:
            kept.append(np.ones(2**20))
        self.answer = y[0]
    def predict(self, X): return [self.answer] * len(X)
def build(): return Hungry()
def score(model, X, y): return {"share": 1.0}
"""


def table(rows: int) -> str:
    return "x,y\n" + "".join(f"{i},a\n{i},b\n" for i in range(rows // 2))


def servers(container: Container) -> list[str]:
    """Return the lines of gunicorn, its fork server and its workers, which start with their process ids."""
    return sorted(line for line in docker("top", container.id, "-o", "pid,args").splitlines() if "wsgi:app" in line)


def killed(container: Container) -> int:
    """Return how many processes the kernel's OOM killer has ended. Reads control groups of version 1 and 2."""
    said = container.sh("cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2>/dev/null; true")
    return int(dict(line.split() for line in said.splitlines())["oom_kill"])


def test_a_training_that_takes_all_memory_is_stopped_and_no_worker_is(
    run: Callable[..., Container], tmp_path: Path
) -> None:
    estimator = tmp_path / "hungry.py"
    estimator.write_text(HUNGRY)
    estimator.chmod(0o644)
    limits = ("--memory", MEMORY, "--memory-swap", MEMORY)
    settings = ("--env", f"SERVICE_PASS={PASSWORD}", "--env", "DEFAULT_MODEL=hungry", "--env", "WEB_CONCURRENCY=2")
    container = run(*limits, *settings, "--volume", f"{estimator}:/app/ML/src/hungry.py:ro")
    container.wait_for(lambda: curl(f"{container.url}/health/live"))

    def train(rows: int) -> dict[str, object]:
        (tmp_path / "table.csv").write_text(table(rows))
        fields = ("--form", f"csv_file=@{tmp_path}/table.csv", "--form", "target_variable=y")
        answer = curl("--user", f"admin:{PASSWORD}", *fields, f"{container.url}/train_model")
        assert answer, container.log[-3000:]
        return dict(json.loads(answer))

    live = train(60)
    assert live["live"] is True, live
    processes = servers(container)
    assert len(processes) == 4
    with busy_callers(container.url, {"x": 1}, password=PASSWORD) as answers:
        for _ in range(3):
            assert "The training ran out of memory" in str(train(200)["detail"])
    assert len(answers) > 20 and distinct_answers(answers) == {(1, "a")}
    assert servers(container) == processes and killed(container) == 0
    assert train(80)["live"] is True
