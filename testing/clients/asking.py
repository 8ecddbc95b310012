"""Run the clients of third parties, unmodified, each in an environment of its own because their pins collide."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from testing.benchmark import environments
from testing.clients import prepare

HERE = Path(__file__).parent


def ask(client: str, *arguments: str, seconds: float = 120) -> Any:
    """Return what the script `CLIENT.py` of this folder prints as JSON, run where `CLIENT.txt` is installed.

    If the environment can't be installed, the test is skipped, or fails in CI.
    """
    try:
        python = prepare.python(client)
    except environments.Unavailable as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    # -P: a script may have the name of the package that it imports.
    command = [str(python), "-P", str(HERE / f"{client}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)
