"""Trainings as jobs: answered before they end, visible and stoppable from any worker, and not stopped by accident."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from projects import SLOW
from server import PASSWORD, USER, Server, eventually

ASYNC = {"Prefer": "respond-async"}


def table(seconds: float, seed: int = 0) -> str:
    """Return a table whose training takes this many seconds."""
    return "seconds,x,y\n" + "".join(f"{seconds},{i + seed},{'aab'[i % 3]}\n" for i in range(60))


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    return serve(fork(slow=SLOW), BOOTSTRAP="false", DEFAULT_MODEL="slow", WEB_CONCURRENCY="3", TRAINING_THREADS="1")


def begin(server: Server, seconds: float, prefer: str = "respond-async", **fields: str) -> httpx.Response:
    return server.client.post(
        "/train_model",
        files={"csv_file": table(seconds)},
        data={"target_variable": "y", "force": "true", **fields},
        headers={"Prefer": prefer},
    )


def card(server: Server, version: int) -> dict[str, Any]:
    return dict(httpx.get(f"{server.url}/models/slow/versions/{version}", auth=(USER, PASSWORD)).json())


def live(server: Server) -> int:
    return int((server.models_dir / "slow" / "current").read_text())


def trainer(server: Server) -> int:
    """Return the process id of the training."""
    return int((server.models_dir / "slow" / "training").read_text().split()[1])


def fits(server: Server) -> bool:
    """Return whether the newest version is training and in the stage fit."""
    newest = server.client.get("/models/slow/versions").json()[0]
    return bool((newest["status"], newest["stage"]) == ("training", "fit"))


def files(server: Server, version: int) -> list[str]:
    return sorted(path.name for path in (server.models_dir / "slow" / str(version)).iterdir())


@pytest.fixture(scope="module", autouse=True)
def first(server: Server) -> int:
    """Train a version that serves during the tests."""
    return int(server.train(table(0), "y").json()["version"])


def test_a_client_that_does_not_wait_gets_the_location_of_the_training(server: Server) -> None:
    before = live(server)
    answer = begin(server, 3)
    view = answer.json()
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    assert answer.headers["location"] == f"/models/slow/versions/{view['version']}"
    seen = [server.client.get(answer.headers["location"]).json() for _ in range(3)] + [card(server, view["version"])]
    for one in [view, *seen]:
        assert (one["state"], one["status"], one["live"]) == ("training", "training", False)
        assert 0 <= one["done"] < 1 and 0 <= one["elapsed_seconds"] < 30
    assert eventually(lambda: card(server, view["version"])["stage"] == "fit", 30)
    assert 0 < card(server, view["version"])["done"] < 1
    assert server.predict([{"seconds": 0, "x": 1}]).json()["model_version"] == before
    assert eventually(lambda: card(server, view["version"])["status"] == "live", 30)
    ready = card(server, view["version"])
    assert (ready["done"], ready["live"]) == (1, True) and ready["elapsed_seconds"] >= 3
    assert server.logs(" POST /train_model 202 ") and server.logs(f" admin slow/{view['version']}")


def test_a_training_steps_back_behind_the_requests_before_it_imports_anything(server: Server) -> None:
    version = begin(server, 2).json()["version"]
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in server.workers if pid != trainer(server)} == {0}
    assert os.getpriority(os.PRIO_PROCESS, trainer(server)) == 19
    assert os.sched_getscheduler(trainer(server)) == os.SCHED_IDLE
    assert Path(f"/proc/{trainer(server)}/oom_score_adj").read_text() == "1000\n"
    assert eventually(lambda: card(server, version)["status"] == "live", 60)


def test_a_client_that_waits_for_some_seconds_gets_the_result_or_the_location(server: Server) -> None:
    soon = begin(server, 0, "wait=60, respond-async")
    assert (soon.status_code, soon.headers["preference-applied"]) == (200, "wait=60")
    assert soon.json()["live"] is True and "location" not in soon.headers
    started = time.monotonic()
    late = begin(server, 4, "respond-async, wait=1")
    assert (late.status_code, late.headers["preference-applied"]) == (202, "respond-async, wait=1")
    assert 1 <= time.monotonic() - started < 4
    assert eventually(lambda: card(server, late.json()["version"])["status"] == "live", 30)


def test_a_second_training_is_refused_and_names_the_first(server: Server) -> None:
    version = begin(server, 3).json()["version"]
    for _ in range(3):
        refused = begin(server, 0)
        assert refused.status_code == 409
        assert f"Version {version} of slow is in training" in refused.json()["detail"]
    assert eventually(lambda: card(server, version)["status"] == "live", 30)


def test_a_dead_training_is_reported_although_another_process_is_reading_it(server: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(begin, server, 60, "")
        assert eventually(lambda: fits(server), 60)
        lock = (server.models_dir / "slow" / "training").open()
        ours = ThreadPoolExecutor(1).submit(fcntl.flock, lock, fcntl.LOCK_EX)
        time.sleep(0.5)  # it waits for the lock now, and has it as soon as the process is gone
        os.kill(trainer(server), signal.SIGKILL)
        ours.result(30)
        time.sleep(1)
        lock.close()
        died = waiting.result(30)
    assert (died.status_code, "killed by signal 9" in died.json().get("detail", "")) == (500, True), died.text


def test_a_training_is_stopped_from_any_worker_and_its_card_says_so(server: Server) -> None:
    before = live(server)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(begin, server, 60, "")
        assert eventually(lambda: fits(server), 60)
        version, pid = server.client.get("/models/slow/versions").json()[0]["version"], trainer(server)
        url = f"{server.url}/models/slow/versions/{version}"
        assert httpx.delete(url, auth=(USER, PASSWORD), timeout=30).status_code == 204
        stopped = waiting.result(30)
    assert (stopped.status_code, "was stopped" in stopped.json().get("detail", "")) == (409, True), stopped.text
    view = card(server, version)
    assert (view["status"], "was stopped" in view["error"]) == ("failed", True)
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert (live(server), files(server, version)) == (before, ["card.json"])
    assert server.client.delete(f"/models/slow/versions/{version}").status_code == 204
    assert server.client.get(f"/models/slow/versions/{version}").status_code == 404
    assert begin(server, 0, "").json()["version"] == version + 1


def test_only_the_process_that_trains_is_stopped(server: Server) -> None:
    """If the lock's file names another process, that process is not stopped, and the training ends itself."""
    version = begin(server, 60).json()["version"]
    assert eventually(lambda: card(server, version)["stage"] == "fit", 30)
    lock, pid = server.models_dir / "slow" / "training", trainer(server)
    lock.write_text(f"{version} {os.getpid()} 12345")
    assert server.client.delete(f"/models/slow/versions/{version}").status_code == 204
    assert "was stopped" in card(server, version)["error"]
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_a_client_that_goes_does_not_stop_the_training(server: Server) -> None:
    newest = server.client.get("/models/slow/versions").json()[0]["version"]
    with contextlib.suppress(httpx.TimeoutException):
        httpx.post(
            f"{server.url}/train_model",
            files={"csv_file": table(3)},
            data={"target_variable": "y", "force": "true"},
            auth=(USER, PASSWORD),
            timeout=1,
        )
        pytest.fail("it answered within a second")
    assert eventually(lambda: card(server, newest + 1).get("status") == "live", 30)


def test_workers_that_die_do_not_stop_the_training(server: Server) -> None:
    version = begin(server, 4).json()["version"]
    for pid in server.workers:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: answers(server, version) == "live", 40)


def answers(server: Server, version: int) -> Any:
    try:
        return card(server, version).get("status")
    except httpx.TransportError:
        return None


@pytest.mark.exclusive
@pytest.mark.parametrize("orphan", [False, True])
def test_a_killed_training_is_reported_at_once(server: Server, orphan: bool) -> None:
    before, version = live(server), begin(server, 60).json()["version"]
    assert eventually(lambda: card(server, version)["stage"] == "fit", 30)
    pid = trainer(server)
    if orphan:  # no worker is there that would know how it ended
        old = server.workers
        for worker in old:
            os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: not set(old) & set(server.workers) and answers(server, version) == "training", 40)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: card(server, version)["status"] == "failed", 2)
    how = "ended unexpectedly" if orphan else "was killed by signal 9"
    assert eventually(lambda: f"The training process {how} in stage fit" in card(server, version)["error"], 2)
    assert (live(server), files(server, version)) == (before, ["card.json"])
    assert server.predict([{"seconds": 0, "x": 1}]).json()["model_version"] == before
    assert begin(server, 0, "").status_code == 200


def test_a_training_over_its_time_is_ended_and_says_so(serve: Callable[..., Server], server: Server) -> None:
    short = serve(server.project, BOOTSTRAP="false", DEFAULT_MODEL="slow", TRAIN_TIMEOUT="4")
    ended = short.train(table(60), "y")
    assert ended.status_code == 504
    assert "took longer than 4 s and was stopped in stage fit" in ended.json()["detail"]
    assert "raise TRAIN_TIMEOUT" in card(short, 1)["error"]
    assert short.train(table(0), "y").status_code == 200


def test_a_place_to_look_is_under_the_proxys_prefix(serve: Callable[..., Server], server: Server) -> None:
    under = serve(server.project, BOOTSTRAP="false", DEFAULT_MODEL="slow", ROOT_PATH="/ml", WEB_CONCURRENCY="1")
    answer = begin(under, 0)
    assert answer.headers["location"] == "/ml/models/slow/versions/1"
    assert under.client.get(answer.headers["location"]).json()["version"] == 1


def test_a_server_that_only_serves_says_so_before_it_reads(serve: Callable[..., Server], server: Server) -> None:
    replica = serve(server.project, TRAINING="off", MODELS_DIR=str(server.models_dir), DEFAULT_MODEL="slow")
    assert not (server.models_dir / "classifier").exists(), "it trained a sample"
    refused = replica.client.post("/train_model")
    assert (refused.status_code, "TRAINING=off" in refused.json()["detail"]) == (403, True)
    assert replica.train(table(0), "y").status_code == 403
    assert replica.predict([{"seconds": 0, "x": 1}]).json()["model_version"] == live(server)
