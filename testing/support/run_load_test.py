"""Run the load test as a user does."""

import os
import subprocess
import sys

from server import PASSWORD, ROOT, Server, eventually

from testing.load.shot import Shot

SCRIPT = [sys.executable, "-W", "error", "testing/async_predictions.py"]
SHOT = Shot("http://127.0.0.1:9/predict", {}, (b"{}",), 1, "1 row as JSON")


def run_load_test(url: str, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    command = [*SCRIPT, *arguments, "--url", url]
    environment = {**os.environ, "SERVICE_PASS": password}
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120)


def wait_for_predictions(server: Server, more: int) -> None:
    before = server.log.count("POST /predict 200")
    assert eventually(lambda: server.log.count("POST /predict 200") - before >= more, 60)


def assert_one_plain_line(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and "Traceback" not in ended.stderr
