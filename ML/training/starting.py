"""Starts the process of a training: a fork of the fork server, or a new Python where there is none."""

import subprocess
import sys

from ML.config.config import ROOT
from ML.training import fork_server, process

Process = fork_server.Training | subprocess.Popen[bytes]


def start(model: str, version: int, lock: int) -> Process:
    """Start the training of a claimed version. The process inherits the training lock. Raise OSError."""
    return fork_server.start(model, version, lock) or _new_python(model, version, lock)


def _new_python(model: str, version: int, lock: int) -> Process:
    """Start a new Python, which takes two seconds longer to begin."""
    command = [sys.executable, "-m", "ML.training", model, "--job", str(version)]
    # Not an asyncio subprocess, because asyncio kills those when the event loop closes.
    run = subprocess.Popen(command, cwd=ROOT, pass_fds=[lock])
    process.lower_priority(run.pid)
    return run
