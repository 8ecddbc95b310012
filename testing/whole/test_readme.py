"""README and docs/ are correct: every command runs, and every setting is in the table."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest
from pages import ELSEWHERE, PAGES, README, commands, path_of
from server import PASSWORD, ROOT, Server

from ML.config.config import Settings

SETTINGS = ROOT / "docs" / "settings.md"
ADDRESS = "http://127.0.0.1:8000"


def test_every_setting_is_in_the_table_as_it_is() -> None:
    table = dict(re.findall(r"^\| `([A-Z_]+)` \| .*? \| (.*) \|$", SETTINGS.read_text(), re.MULTILINE))
    assert table == {name.upper(): field.description for name, field in Settings.model_fields.items()}


@pytest.fixture(scope="module")
def newcomer(serve: Callable[..., Server]) -> Server:
    """Start a server with the defaults."""
    return serve()


@pytest.fixture
def reader(request: pytest.FixtureRequest, page: Path) -> Server:
    """The server of a page's reader. Pages that train have one of their own, as they name the new version's number."""
    if any("/train_model" in command for command in commands(page)):
        return request.getfixturevalue("serve")()
    return request.getfixturevalue("server")


def runnable(command: str, server: Server, folder: Path) -> str:
    """Return the command for this server: another port, this environment, and no file left in the repository."""
    command = command.replace(ADDRESS, server.url).replace("load.html", str(folder / "load.html"))
    if command.startswith("make "):  # it runs in an environment that is installed
        command = command.replace("make ", "make --old-file .venv/testing ", 1)
    command = command.replace(".venv/bin/python", sys.executable)
    return f"{command} -sS --fail-with-body" if command.startswith("curl ") else command


@pytest.mark.parametrize("page", [page for page in PAGES if set(commands(page)) - set(ELSEWHERE)], ids=path_of)
def test_every_command_of_a_page_runs_in_order(reader: Server, page: Path, tmp_path: Path) -> None:
    for command in [command for command in commands(page) if command not in ELSEWHERE]:
        run = subprocess.run(
            ["bash", "-c", runnable(command, reader, tmp_path)],
            cwd=ROOT,
            env=reader.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
        assert run.stdout or "-X DELETE" in command, command


def test_commands_that_run_elsewhere_are_on_a_page_and_their_tests_exist() -> None:
    assert set(ELSEWHERE) <= {command for page in PAGES for command in commands(page)}
    assert [file for file in ELSEWHERE.values() if not (ROOT / file).is_file()] == []


def test_the_estimator_of_the_readme_trains(fork: Callable[..., Path], tmp_path: Path) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    environment = {**os.environ, "MODELS_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "ML.training", "forest", "ML/data/train.csv", "species"]
    project = fork(forest=source)
    run = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "forest" / "current").read_text().strip() == "1"


def test_the_banner_shows_commands_that_run_and_no_given_password(newcomer: Server) -> None:
    lines = [line for line in newcomer.log.splitlines() if line.startswith("curl")]
    assert len(lines) == 3
    for line in lines:
        run = subprocess.run(
            ["bash", "-c", f"{line} -sS --fail"], cwd=ROOT, env=newcomer.environment, capture_output=True, check=False
        )
        assert run.returncode == 0, line
    assert PASSWORD not in newcomer.log
    assert f"{newcomer.url}/docs" in newcomer.log


def test_a_generated_password_is_printed_and_works(serve: Callable[..., Server]) -> None:
    server = serve(SERVICE_PASS="", WEB_CONCURRENCY="2", BOOTSTRAP="false")
    found = re.search(r"^Password +(\S+)", server.log, re.MULTILINE)
    assert found
    answers = {httpx.get(f"{server.url}/models", auth=("admin", found[1])).status_code for _ in range(20)}
    assert answers == {200}


def test_make_targets_of_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text() for page in PAGES)
    assert set(re.findall(r"(?:^ *|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets


@pytest.mark.skipif(not os.environ.get("CI"), reason="installs everything anew; runs in CI")
def test_make_run_serves_from_a_fresh_clone_with_an_empty_home(tmp_path: Path) -> None:
    project, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "MAKE", "VIRTUAL_ENV"))
    }
    output = (tmp_path / "output").open("w")
    environment = kept | {"HOME": str(home), "PORT": port, "SERVICE_PASS": PASSWORD}
    server = subprocess.Popen(
        ["make", "run"], cwd=project, stdout=output, stderr=output, start_new_session=True, env=environment
    )
    try:
        deadline = time.monotonic() + 280
        while not is_ready(f"http://127.0.0.1:{port}/health/ready"):
            assert server.poll() is None, (tmp_path / "output").read_text()
            assert time.monotonic() < deadline, (tmp_path / "output").read_text()
            time.sleep(0.5)
        assert (project / "ML_server.log").exists()
        assert "accuracy" in httpx.get(f"http://127.0.0.1:{port}/models/classifier", auth=("admin", PASSWORD)).text
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        output.close()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
