"""The README tells the truth: every command runs, every setting is in its table."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest
from server import PASSWORD, ROOT, Server

from ML.config.config import Settings

README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
ADDRESS = "http://127.0.0.1:8000"


def test_every_setting_is_in_the_table_as_it_is() -> None:
    table = dict(re.findall(r"^\| `([A-Z_]+)` \| .*? \| (.*) \|$", README, re.MULTILINE))
    assert table == {name.upper(): field.description for name, field in Settings.model_fields.items()}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """A server as a newcomer has it."""
    return serve()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("curl")])
def test_every_curl_line_answers(server: Server, command: str) -> None:
    words = command.replace(ADDRESS, server.url)
    run = subprocess.run(
        ["bash", "-c", f"{words} -sS --fail-with-body"],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith(("{", "[")) or (run.stdout, "-X DELETE" in command) == ("", True)


def test_the_banner_shows_commands_that_run_and_no_given_password(server: Server) -> None:
    lines = [line for line in server.log.splitlines() if line.startswith("curl")]
    assert len(lines) == 3
    for line in lines:
        run = subprocess.run(
            ["bash", "-c", f"{line} -sS --fail"], cwd=ROOT, env=server.environment, capture_output=True, check=False
        )
        assert run.returncode == 0, line
    assert PASSWORD not in server.log
    assert f"{server.url}/docs" in server.log


def test_a_made_up_password_is_printed_and_works(serve: Callable[..., Server]) -> None:
    server = serve(SERVICE_PASS="", WEB_CONCURRENCY="2", BOOTSTRAP="false")
    found = re.search(r"^Password +(\S+)", server.log, re.MULTILINE)
    assert found
    answers = {httpx.get(f"{server.url}/models", auth=("admin", found[1])).status_code for _ in range(20)}
    assert answers == {200}


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command.split()[1] for command in COMMANDS if command.startswith("make ")} <= targets


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
        while not answers(f"http://127.0.0.1:{port}/health/ready"):
            assert server.poll() is None, (tmp_path / "output").read_text()
            assert time.monotonic() < deadline, (tmp_path / "output").read_text()
            time.sleep(0.5)
        assert (project / "ML_server.log").exists()
        assert "accuracy" in httpx.get(f"http://127.0.0.1:{port}/models/classifier", auth=("admin", PASSWORD)).text
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        output.close()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
