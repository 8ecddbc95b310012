"""The image, built and run as the README says and as orchestrators do."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import IMAGE, MODELS, Container, curl, docker, image, run
from server import ROOT

__all__ = ["image", "run"]
BASE = "fast-ml"
PASSWORD = "only for this test"
HARDENED = ("--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp")

Say = Callable[[str], None]


def commands(log: str) -> list[str]:
    """Return the three curl lines that the server printed."""
    return re.findall(r"^curl .*$", log, re.MULTILINE)


def follow(container: Container, line: str, **environment: str) -> str:
    """Run a printed line in a shell, with the container's port, and return the output."""
    line = line.replace("http://127.0.0.1:8000", container.url)
    environment = {**os.environ, **environment}
    return subprocess.run(["sh", "-c", line], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE).stdout


def flow(container: Container, **environment: str) -> None:
    """Train, predict a file and predict a row with the lines that the server printed."""
    answers = [json.loads(follow(container, line, **environment)) for line in commands(container.log)]
    trained, table, rows = answers
    assert re.fullmatch(r"Train accuracy : \d+\.\d\d %", trained["output"])
    assert re.fullmatch(r"Test accuracy : \d+\.\d\d %", table["output"])
    assert rows["predictions"][0] in ("setosa", "versicolor", "virginica")
    assert trained["version"] == table["model_version"] == rows["model_version"]


@pytest.fixture
def volume() -> Iterator[str]:
    """Create a named volume, and remove it afterwards."""
    yield (name := docker("volume", "create"))
    docker("volume", "rm", name)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Return a function that prints a figure even if the test passes."""

    def show(figure: str) -> None:
        with capsys.disabled():
            print(f"\n{figure}", end=" ")

    return show


def test_docker_run_serves_the_samples_that_are_in_the_image(run: Callable[..., Container]) -> None:
    container = run().ready()
    assert len(re.findall(r"^Password", container.log, re.MULTILINE)) == 1
    assert re.search(r"^Password  \S{16}  \(generated for this run", container.log, re.MULTILINE)
    assert "sample" not in container.log  # nothing was left to train at start
    flow(container)
    assert container.sh("id -u") == "10001"
    container.wait_for(lambda: container.state("Health.Status") == "healthy")


@pytest.mark.parametrize("given", ["PORT=9000", "GUNICORN_CMD_ARGS=--threads 1 -b=0.0.0.0:9000 --workers 1"])
def test_it_is_healthy_on_another_port(run: Callable[..., Container], given: str) -> None:
    container = run("--env", given, port=9000).ready()
    container.wait_for(lambda: container.state("Health.Status") == "healthy")


@pytest.mark.exclusive
def test_a_given_password_is_never_shown_and_stopping_is_quick(run: Callable[..., Container], say: Say) -> None:
    container = run("--env", f"SERVICE_PASS={PASSWORD}").ready()
    flow(container, SERVICE_PASS=PASSWORD)
    started = time.monotonic()
    docker("stop", container.id)
    took = time.monotonic() - started
    say(f"docker stop took {took:.2f} s")
    assert took < 5
    assert container.state("ExitCode") == "0"
    assert PASSWORD not in container.log


def test_it_stops_while_it_still_starts(run: Callable[..., Container]) -> None:
    training = run("--tmpfs", MODELS)
    time.sleep(1)
    loading = run()
    loading.wait_for(lambda: "gunicorn --config" in docker("top", loading.id))
    time.sleep(1)  # gunicorn loads the app, or has just loaded it
    for container in training, loading:
        docker("stop", container.id)
        assert container.state("ExitCode") != "137", f"it had to be killed: {container.log}"


def test_a_read_only_container_without_rights_serves(run: Callable[..., Container]) -> None:
    container = run(*HARDENED, "--env", f"SERVICE_PASS={PASSWORD}").ready()
    train, table, row = commands(container.log)
    assert '"predictions"' in follow(container, row, SERVICE_PASS=PASSWORD)
    assert "Test accuracy" in follow(container, table, SERVICE_PASS=PASSWORD)
    assert "The model store can't be written" in follow(container, train, SERVICE_PASS=PASSWORD)


def test_a_volume_keeps_the_versions(volume: str, run: Callable[..., Container]) -> None:
    mounted = (*HARDENED, "--volume", f"{volume}:{MODELS}", "--env", f"SERVICE_PASS={PASSWORD}")
    first = run(*mounted).ready()
    flow(first, SERVICE_PASS=PASSWORD)
    docker("stop", first.id)
    second = run(*mounted).ready()
    assert json.loads(curl(f"{second.url}/health/ready"))["model_version"] == 2


def test_an_empty_folder_gets_the_samples_at_start(run: Callable[..., Container], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    in_memory = run(*HARDENED, "--tmpfs", MODELS)
    mounted = run("--volume", f"{tmp_path}:{MODELS}")
    for container in in_memory, mounted:
        container.ready()
        flow(container)
    assert (tmp_path / "classifier" / "current").exists()
    mounted.sh(f"rm -r {MODELS}/*")  # or pytest could not tidy up


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(
    run: Callable[..., Container], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    container = run("--volume", f"{tmp_path}:{MODELS}")
    assert docker("wait", container.id) == "1"
    assert container.log.count("\n") == 0, container.log
    assert MODELS in container.log
    assert "10001" in container.log


def test_the_image_contains_only_what_the_server_needs(run: Callable[..., Container], say: Say) -> None:
    container = run().ready()
    assert container.sh("ls -A /app").split() == [
        "ML",
        "constraints.txt",
        "gunicorn",
        "requirements.txt",
        "rest_api",
        "wsgi.py",
    ]
    assert container.sh("find /app /tmp -name '*.log*' -o -name 'test_*' -o -name conftest.py") == ""
    assert container.sh("pip list --format freeze | grep -ciE '^(pytest|mypy|ruff|playwright)' || true") == "0"
    assert container.sh("python -c \"import ctypes; ctypes.CDLL('libgomp.so.1')\"") == ""  # for LightGBM, XGBoost
    assert container.sh("touch /app/x 2>&1 || true").endswith(("denied", "file system"))
    size, base = (
        int(docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (IMAGE, "python:3.13-slim")
    )
    say(f"the image has {size / 1e6:.0f} MB, {(size - base) / 1e6:.0f} more than its base")


def test_an_app_image_on_the_base_image_is_built_in_seconds(image: str, say: Say) -> None:
    docker("build", "-t", BASE, "-f", "gunicorn/Dockerfile.fast-ml", ".")
    started = time.monotonic()
    docker("build", "-t", f"{IMAGE}:on-base", "--build-arg", f"BASE_IMAGE={BASE}", ".")
    took = time.monotonic() - started
    say(f"the build on the base image took {took:.0f} s")
    docker("rmi", f"{IMAGE}:on-base")
    assert took < 60
