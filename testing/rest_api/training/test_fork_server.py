"""The fork server: trainings are its forks, share nothing with each other, and do not depend on it to end well."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx
import pytest
from server import Server, eventually, process_name

# Its scores tell how it was trained: by a fork or not, and what chance drew.
TELLING = """
import os
import time
from pathlib import Path

import numpy as np
from sklearn.dummy import DummyClassifier


def build():
    return DummyClassifier()


def score(model, X, y):
    time.sleep(float(X["wait"].iloc[0]))
    forked = Path("/proc/self/comm").read_text().strip() == "training"
    return {"written": 1.0, "forked": float(forked), "parent": float(os.getppid()), "drawn": np.random.rand()}
"""

SEARCH = """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV


def build():
    return GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_jobs=2)


def score(model, X, y):
    return {"accuracy": model.score(X, y)}
"""


@pytest.fixture
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    return serve(fork(telling=TELLING, search=SEARCH), BOOTSTRAP="false", DEFAULT_MODEL="telling", WEB_CONCURRENCY="2")


def table(wait: int = 0) -> str:
    return "wait,x,y\n" + "".join(f"{wait},{i},{'ab'[i % 2]}\n" for i in range(60))


def train(server: Server) -> dict[str, float]:
    answer = server.train(table(), "y", force="true")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["metrics"])


def begin(server: Server) -> int:
    """Begin a training that lasts some seconds, and return its version when it has come to the scoring."""
    fields = {"target_variable": "y", "force": "true"}
    headers = {"Prefer": "respond-async"}
    answer = server.client.post("/train_model", files={"csv_file": table(3)}, data=fields, headers=headers)
    version = int(answer.json()["version"])
    assert eventually(lambda: view(server, version)["stage"] == "score", 30)
    return version


def view(server: Server, version: int) -> dict[str, str]:
    """Return the version's card, empty while no worker answers."""
    with suppress(httpx.TransportError):
        return dict(server.client.get(f"/models/telling/versions/{version}").json())
    return {}


def test_trainings_are_forks_and_each_has_its_own_chance_and_the_newest_source(server: Server) -> None:
    first, second = train(server), train(server)
    assert first["forked"] == second["forked"] == 1
    assert first["parent"] == second["parent"] == server.fork_server
    assert first["drawn"] != second["drawn"]
    source = server.project / "ML" / "src" / "telling.py"
    source.write_text(TELLING.replace('"written": 1.0', '"written": 2.0'))
    assert train(server)["written"] == 2


def test_a_training_takes_its_own_processes_with_it(server: Server) -> None:
    before = processes(server)
    assert server.train(table(), "y", model="search").status_code == 200
    assert eventually(lambda: processes(server) == before, 10)


def processes(server: Server) -> set[int]:
    """Return the processes of the server's session: the master and all that began with it."""
    found = subprocess.run(["pgrep", "-s", f"{server.process.pid}"], capture_output=True, text=True, check=True)
    return set(map(int, found.stdout.split()))


def test_without_a_fork_server_trainings_go_on(server: Server) -> None:
    version, killed = begin(server), server.fork_server
    os.kill(killed, signal.SIGKILL)
    # What it had begun ends as if nothing had happened; the next one is a new Python.
    assert eventually(lambda: view(server, version)["status"] == "live", 30)
    assert server.train(table(), "y", force="true").json()["metrics"]["forked"] == 0


def test_it_outlives_a_worker_that_dies_while_it_asks(server: Server) -> None:
    fork_server = server.fork_server
    os.kill(fork_server, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.train, table(), "y")
        assert eventually((server.models_dir / "telling" / "1" / "card.json").exists, 30)
        time.sleep(0.5)  # the request follows the card at once, and nothing shows that it was sent
        for pid in server.workers:
            os.kill(pid, signal.SIGKILL)
        assert isinstance(asked.exception(), httpx.TransportError)
    os.kill(fork_server, signal.SIGCONT)
    assert eventually(lambda: view(server, 1).get("status") == "live", 30)
    assert train(server)["parent"] == fork_server


def test_it_ends_with_the_server_and_after_the_last_training(server: Server) -> None:
    begin(server)
    fork_server = server.fork_server
    training = int((server.models_dir / "telling" / "training").read_text().split()[1])
    assert (process_name(fork_server), process_name(training)) == ("fork server", "training")
    for pid in (server.process.pid, *server.workers):
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not process_name(fork_server) and not process_name(training), 30)
