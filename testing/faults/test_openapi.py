"""Generated requests that follow or violate the OpenAPI document: no 5xx, and every answer is as documented."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from server import USER, Server

pytestmark = pytest.mark.faults


@pytest.mark.timeout(900)
def test_every_answer_is_as_the_document_says(serve: Callable[..., Server], tmp_path: Path) -> None:
    # A colon in the password is too much for its command line.
    server = serve(WEB_CONCURRENCY="1", SERVICE_PASS="plain")
    command = [f"{Path(sys.executable).parent}/schemathesis", "run", f"{server.url}/openapi.json", "--no-color"]
    # The document can't say what makes a CSV file a table, nor which model has probabilities: such are refused by 422.
    # Wrong passwords would have this address blocked; test_roles.py sends them to every route.
    checks = ["--checks", "all", "--exclude-checks", "positive_data_acceptance,ignored_auth"]
    how = ["--phases", "examples,coverage,fuzzing", "--max-examples", "60", "--continue-on-failure", "--seed", "1"]
    command += [*checks, *how, "--auth", f"{USER}:plain"]
    environment = server.environment | {"PYTHONWARNINGS": ""}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    cases = re.search(r"(\d[\d,]*) generated", run.stdout)
    assert cases and int(cases[1].replace(",", "")) >= 3000, run.stdout[-2000:]
    assert "Traceback" not in server.log
