"""The real start script: what it prints, which settings it takes, and the one line with which it refuses to start."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from projects import MAJORITY, PLAIN, Project, project, table
from server import ROOT, Server, eventually, free_port

__all__ = ["project"]
Run = subprocess.CompletedProcess[str]


@contextmanager
def started(server: Server) -> Iterator[str]:
    """What a start prints; it may listen elsewhere than on the server's port."""
    with server.output.open("w") as output:
        command = [server.project / "gunicorn" / "start-server.sh"]
        process = subprocess.Popen(
            command, env=server.environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        printed = eventually(lambda: "Password" in server.log or process.poll() is not None, 60)
        assert printed and process.poll() is None, server.log
        yield server.log
    finally:
        process.terminate()
        process.wait(60)


def refused(server: Server, capabilities: str = "") -> str:
    """The line with which a start ends; there is no traceback, and nothing else but what gunicorn logs.

    Where root runs the tests, these of its capabilities are taken away: `-dac_override,-dac_read_search`.
    """
    command = [str(server.project / "gunicorn" / "start-server.sh")]
    if capabilities and os.getuid() == 0:
        command = ["setpriv", "--inh-caps", capabilities, "--bounding-set", capabilities, *command]
    run: Run = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1, run.stdout + run.stderr
    lines = [line for line in run.stderr.splitlines() if "[INFO] Starting gunicorn" not in line]
    assert len(lines) == 1 and run.stdout == "", run.stdout + run.stderr
    return lines[0]


def follow(server: Server, line: str) -> str:
    """What a printed command answers."""
    return subprocess.check_output(
        ["bash", "-c", f"{line} -sS --fail --retry 5 --retry-connrefused"],
        cwd=server.project, env=server.environment, text=True,
    )  # fmt: skip


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("curl")]


@pytest.fixture
def store(tmp_path: Path, sample_store: Path) -> Path:
    """A store with the samples."""
    subprocess.run(["cp", "-r", sample_store, tmp_path / "models"], check=True)
    return tmp_path / "models"


def test_the_printed_address_is_the_one_that_was_bound(store: Path) -> None:
    server = Server(ROOT, store, BOOTSTRAP="false", GUNICORN_CMD_ARGS="--bind 127.0.0.1:0 --workers 1")
    with started(server) as text:
        assert f":{server.port}" not in text and "127.0.0.1:0" not in text
        assert '"predictions"' in follow(server, commands(text)[-1])


def test_a_unix_socket_is_in_the_printed_commands(store: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path may be longer than a socket's name may be
        options = f"--bind unix:{folder}/ml.sock --workers 1"
        server = Server(ROOT, store, BOOTSTRAP="false", GUNICORN_CMD_ARGS=options)
        with started(server) as text:
            assert '"predictions"' in follow(server, commands(text)[-1])


def test_an_ipv6_address_is_printed_in_brackets(store: Path) -> None:
    server = Server(ROOT, store, BOOTSTRAP="false", HOST="::1", WEB_CONCURRENCY="1")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with started(server) as text:
        assert f"http://[::1]:{server.port}/docs" in text
        assert '"predictions"' in follow(server, commands(text)[-1])


def test_the_printed_row_has_the_live_versions_own_columns(project: Callable[..., Project]) -> None:
    of = project(plain=PLAIN.format(answer=MAJORITY))
    assert of.train("plain", table()).returncode == 0
    server = Server(of.folder, of.store, DEFAULT_MODEL="plain", BOOTSTRAP="false")
    with started(server) as text:
        assert '{"x": ' in commands(text)[-1] and "target_variable=y" in text and "species" not in text
        assert '"model":"plain"' in follow(server, commands(text)[-1]).replace(" ", "")


def test_without_a_version_it_prints_how_to_train(tmp_path: Path) -> None:
    with started(Server(ROOT, tmp_path / "models", BOOTSTRAP="false", WEB_CONCURRENCY="1")) as text:
        assert "No version of classifier is live yet. Train one:" in text and len(commands(text)) == 1


def test_the_file_counts_for_script_server_and_gunicorn(fork: Callable[..., Path], store: Path) -> None:
    project, port = fork(), free_port()
    server = Server(project, store, PYTHON_DOTENV_DISABLED="false", LOG_LEVEL="warning")
    for name in "PORT", "MODELS_DIR", "SERVICE_PASS", "WEB_CONCURRENCY":
        del server.environment[name]
    (project / ".env").write_text(
        f"PORT={port}\nMODELS_DIR={store}\nSERVICE_PASS='from the # file'\nBOOTSTRAP=false\nWEB_CONCURRENCY=1\n"
        "LOG_LEVEL=debug\nGUNICORN_CMD_ARGS=--log-level warning\n"
    )
    with started(server) as text:
        assert f"http://127.0.0.1:{port}\n" in text and "the one set in SERVICE_PASS" in text
        assert "[INFO]" not in text and "DEBUG" not in text  # gunicorn's option counts; the environment wins
        server.environment["SERVICE_PASS"] = "from the # file"
        assert '"predictions"' in follow(server, commands(text)[-1])
        check = ["python", "gunicorn/healthcheck.py"]
        assert subprocess.run(check, cwd=project, env=server.environment, check=False).returncode == 0


def test_debug_lines_tell_decisions_but_no_body_and_no_credentials(serve: Callable[..., Server]) -> None:
    server = serve(LOG_LEVEL="debug", WEB_CONCURRENCY="1")
    assert server.predict([{"sepal_length": "hush"}]).status_code == 422
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    assert server.predict([row]).status_code == 200
    assert server.client.get("/models", auth=("admin", "wrong hush")).status_code == 401
    assert server.logs("classifier: loaded in") and server.logs("1 rows of 1 requests in one call")
    assert server.logs("refused: 401 credentials") and server.logs("errors: ")
    assert "hush" not in server.log and server.environment["SERVICE_PASS"] not in server.log


def test_a_taken_port_is_one_line_with_the_remedy(store: Path) -> None:
    server = Server(ROOT, store, BOOTSTRAP="false")
    with socket.create_server(("127.0.0.1", server.port)):
        line = refused(server)
    assert f"Port {server.port} of 127.0.0.1 is in use" in line and "set PORT" in line


@pytest.mark.parametrize("folder", ["/proc/store", "/dev/null"])
def test_a_store_that_can_not_be_written_is_one_line_with_the_remedy(folder: str, tmp_path: Path) -> None:
    server = Server(ROOT, tmp_path / "models", MODELS_DIR=folder)
    line = refused(server)
    assert folder in line and "MODELS_DIR" in line


WITHOUT_RIGHTS = "-dac_override,-dac_read_search"
needs_rights = pytest.mark.skipif(os.getuid() == 0 and not shutil.which("setpriv"), reason="root may do everything")


@needs_rights
@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_a_store_of_another_user_is_one_line_with_the_remedy(tmp_path: Path, mode: int) -> None:
    (tmp_path / "models").mkdir(mode=mode)
    line = refused(Server(ROOT, tmp_path / "models"), WITHOUT_RIGHTS)
    assert str(tmp_path / "models") in line and f"ser {os.getuid()}" in line and "MODELS_DIR" in line


@needs_rights
def test_versions_of_another_user_are_one_line_with_the_remedy(store: Path) -> None:
    (store / "classifier").chmod(0o000)
    line = refused(Server(ROOT, store), WITHOUT_RIGHTS)
    (store / "classifier").chmod(0o755)
    assert str(store / "classifier") in line and "MODELS_DIR" in line


def test_a_store_that_is_not_there_is_named_where_nothing_trains(tmp_path: Path) -> None:
    store = tmp_path / "none"
    with started(Server(ROOT, store, TRAINING="off", WEB_CONCURRENCY="1")) as text:
        assert f"{store} does not exist" in text and "Set MODELS_DIR" in text


@pytest.mark.parametrize(
    ("python", "part"),
    [
        ("/no/such/python", "is not found or not Python"),
        ("/bin/true", "not Python"),
        ("./old", "is not Python 3.11-3.13"),
    ],
)
def test_a_wrong_python_is_one_line_with_the_remedy(tmp_path: Path, python: str, part: str) -> None:
    for name in "Makefile", "requirements.txt", "constraints.txt":
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "old").write_text("#!/bin/sh\necho 3.9\n")
    (tmp_path / "old").chmod(0o755)
    run = subprocess.run(["make", "run", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    said, make = run.stderr.splitlines()  # make itself adds the second
    assert part in said and "make PYTHON=" in said and make.startswith("make: ***") and run.returncode == 2
    assert not (tmp_path / ".venv").exists()
