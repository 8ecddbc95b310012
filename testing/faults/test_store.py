"""A store that fills up, turns read-only, is shared by two servers or comes from another time."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from busy_callers import busy_callers, distinct_answers
from projects import SLOW
from server import PASSWORD, USER, Server, eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]
START = f"""#!/bin/sh
mkdir -p "$MODELS_DIR"
cd "$(dirname "$0")/.."
exec {" ".join(OWN_MOUNTS)} sh -c 'mount -t tmpfs -o size=1m tmpfs "$MODELS_DIR" && exec "$0"' gunicorn/start.sh
"""
ROW = {"seconds": 0, "x": 1}


def table(seconds: float, label: str = "a") -> str:
    """Return a table whose training takes this many seconds, and whose model predicts the label."""
    return "seconds,x,y\n" + "".join(f"{seconds},{i},{[label, label, 'z'][i % 3]}\n" for i in range(60))


def begin(server: Server, seconds: float, label: str = "a") -> httpx.Response:
    return server.client.post(
        "/train_model",
        files={"csv_file": table(seconds, label)},
        data={"target_variable": "y", "force": "true"},
        headers={"Prefer": "respond-async"},
    )


def card(server: Server, version: int) -> dict[str, Any]:
    return dict(httpx.get(f"{server.url}/models/slow/versions/{version}", auth=(USER, PASSWORD)).json())


def status(server: Server, version: int, wanted: str, seconds: float = 30) -> bool:
    return eventually(lambda: card(server, version).get("status") == wanted, seconds)


def live(server: Server) -> set[int]:
    """Return the versions that answer, over several requests to any worker."""
    asked = [httpx.post(f"{server.url}/predict", json={"instances": [ROW]}, auth=(USER, PASSWORD)) for _ in range(8)]
    assert {answer.status_code for answer in asked} == {200}
    return {answer.json()["model_version"] for answer in asked}


@pytest.fixture(scope="module")
def project(fork: Callable[..., Path]) -> Path:
    return fork(slow=SLOW)


@pytest.fixture(scope="module")
def small(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    """Start a server whose store is a file system of one megabyte."""
    if (
        not shutil.which("unshare")
        or subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs unshare, and the right to use it")
    project = fork(slow=SLOW)
    scripts = project / "gunicorn"
    (scripts / "start-server.sh").rename(scripts / "start.sh")
    (scripts / "start-server.sh").write_text(START)
    (scripts / "start-server.sh").chmod(0o755)
    server = serve(project, BOOTSTRAP="false", DEFAULT_MODEL="slow")
    assert server.train(table(0), "y").json()["version"] == 1
    return server


def inside(server: Server, command: str) -> None:
    """Run a command in the server's mount namespace and the store's folder."""
    enter = ["nsenter", "--target", str(server.process.pid), "--user", "--mount", "--preserve-credentials"]
    subprocess.run([*enter, "sh", "-c", f"cd '{server.models_dir}' && {command}"], check=True, capture_output=True)


def listing(server: Server, folder: str) -> list[str]:
    inner = Path(f"/proc/{server.process.pid}/root{server.models_dir}/slow/{folder}")
    return sorted(path.name for path in inner.iterdir())


@pytest.mark.parametrize(
    ("harm", "mend", "word"),
    [
        ("dd if=/dev/zero of=filler bs=1k || true", "rm filler", "No space left"),
        ('mount --bind . . && mount -o remount,bind,ro "$PWD"', 'cd / && umount "$OLDPWD"', "Read-only"),
    ],
    ids=["full", "read-only"],
)
def test_a_store_that_can_not_be_written_fails_the_training_and_not_the_server(
    small: Server, harm: str, mend: str, word: str
) -> None:
    with busy_callers(small.url, ROW) as answers:
        assert live(small) == {1}
        version = begin(small, 4).json()["version"]
        assert eventually(lambda: card(small, version)["stage"] == "fit", 30)
        inside(small, harm)
        try:
            assert status(small, version, "failed")
            refused = begin(small, 0)
            assert (refused.status_code, "can't be written" in refused.json()["detail"]) == (507, True)
            assert word in refused.json()["detail"] and "make it writable" in refused.json()["detail"]
            assert live(small) == {1}
            assert small.client.get("/models/slow/versions").status_code == 200
            moved = small.client.put("/models/slow/current", json={"version": 1})
            assert moved.status_code == 507
        finally:
            inside(small, mend)
        assert status(small, version, "failed") and live(small) == {1}
        newest = small.train(table(0, "b"), "y", force="true").json()
        assert newest["live"] is True and live(small) == {newest["version"]}
    assert len(answers) > 50 and distinct_answers(answers) == {(1, "a"), (newest["version"], "b")}
    assert listing(small, str(version)) == ["card.json"]
    assert [name for name in listing(small, "") if not name.isdigit()] == ["current", "lock", "training"]
    small.client.put("/models/slow/current", json={"version": 1})
    small.client.delete(f"/models/slow/versions/{newest['version']}")


@pytest.fixture(scope="module")
def both(serve: Callable[..., Server], project: Path) -> tuple[Server, Server]:
    """Two servers on one store."""
    given = {"BOOTSTRAP": "false", "DEFAULT_MODEL": "slow", "KEEP_VERSIONS": "2"}
    one = serve(project, **given)
    two = serve(project, MODELS_DIR=str(one.models_dir), **given)
    for label in ("a", "b"):
        one.train(table(0, label), "y").raise_for_status()
    return one, two


def test_two_servers_on_one_store_train_one_after_another_and_serve_the_same_version(
    both: tuple[Server, Server],
) -> None:
    one, two = both
    version = begin(one, 3).json()["version"]
    refused = begin(two, 0)
    assert (refused.status_code, f"Version {version} of slow" in refused.json()["detail"]) == (409, True)
    assert card(two, version)["status"] == "training"
    assert status(two, version, "live") and live(one) == live(two) == {version}
    version = begin(two, 60).json()["version"]
    assert one.client.delete(f"/models/slow/versions/{version}").status_code == 204
    assert "was stopped" in card(two, version)["error"]
    newest = one.train(table(0), "y", force="true").json()["version"]
    assert newest > version and live(one) == live(two) == {newest}


def test_versions_promoted_and_deleted_by_hand_during_a_training_stay_so(both: tuple[Server, Server]) -> None:
    one, two = both
    new = two.train(table(0), "y", force="true").json()["version"]
    old = next(c["version"] for c in one.client.get("/models/slow/versions").json()[1:] if c["state"] == "ready")
    version = begin(one, 4).json()["version"]
    assert two.client.put("/models/slow/current", json={"version": old}).status_code == 200
    assert two.client.delete(f"/models/slow/versions/{new}").status_code == 204
    assert status(one, version, "held back")
    assert f"version {old} was made live by hand" in card(two, version)["notes"][-1]
    assert live(one) == live(two) == {old}
    assert card(one, new) == {"detail": card(one, new)["detail"]} and "no version" in card(one, new)["detail"]


@pytest.mark.parametrize("days", [-1, 10_000])
def test_versions_stay_in_order_when_the_clock_jumps(both: tuple[Server, Server], days: int) -> None:
    """The store was written by servers whose clock was days off."""
    one, two = both
    then = datetime.now(UTC) + timedelta(days=days)
    newest = one.client.get("/models/slow/versions").json()[0]["version"]
    for path in (one.models_dir / "slow").rglob("*"):
        if path.name == "card.json":
            found = json.loads(path.read_text())
            path.write_text(json.dumps(found | {"created": then.isoformat(), "ended": then.isoformat()}))
        os.utime(path, (then.timestamp(), then.timestamp()))
    trained = [server.train(table(0), "y", force="true").json()["version"] for server in (one, two)]
    assert trained == [newest + 1, newest + 2] and live(one) == live(two) == {newest + 2}
    listed = [c["version"] for c in two.client.get("/models/slow/versions").json()]
    assert listed == sorted(listed, reverse=True) and listed[0] == newest + 2
    version = begin(one, 1).json()["version"]
    assert card(two, version)["elapsed_seconds"] >= 0
    assert status(two, version, "live") and live(one) == live(two) == {version}
