"""The image, built with the README's command, and its containers."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from server import ROOT, free_port

IMAGE = "fast-api-ml"
MODELS = "/app/ML/saved_models"
STARTS = 90  # seconds a start may take on a busy machine


def docker(*arguments: str, check: bool = True) -> str:
    """Run `docker ...` and return what it printed on both streams."""
    ended = subprocess.run(
        ["docker", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert not check or ended.returncode == 0, ended.stdout[-3000:]
    return ended.stdout.strip()


class Container:
    """A container of the image, with its port published on a free port of this machine."""

    def __init__(self, *options: str, port: int = 8000, command: str = "") -> None:
        self.url = f"http://127.0.0.1:{(free := free_port())}"
        self.id = docker("run", "--detach", "--publish", f"{free}:{port}", *options, IMAGE, *command.split())

    def wait_for(self, done: Callable[[], Any]) -> Any:
        """Return the first true result of `done`. Fails if the container exits or takes too long."""
        deadline = time.monotonic() + STARTS
        while not (found := done()):
            assert self.state("Running") == "true", self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)
        return found

    def ready(self) -> "Container":
        self.wait_for(lambda: "ready" in curl(f"{self.url}/health/ready"))
        return self

    def state(self, field: str) -> str:
        return docker("inspect", "--format", f"{{{{.State.{field}}}}}", self.id)

    def sh(self, script: str) -> str:
        return docker("exec", self.id, "sh", "-c", script)

    @property
    def log(self) -> str:
        return docker("logs", self.id)


def curl(*arguments: str) -> str:
    """Return the answer's body, or an empty string if the server does not answer."""
    return subprocess.run(["curl", "--silent", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="module")
def image() -> str:
    """Build the image with the README's command."""
    there = shutil.which("docker") and not subprocess.run(["docker", "info"], capture_output=True).returncode
    if not there:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Docker engine is running")
    docker("build", "-t", IMAGE, ".")
    return IMAGE


@pytest.fixture
def run(image: str) -> Iterator[Callable[..., Container]]:
    """Start containers. All are removed after the test, with their anonymous volumes."""
    with ExitStack() as stack:

        def start(*options: str, port: int = 8000, command: str = "") -> Container:
            container = Container(*options, port=port, command=command)
            stack.callback(docker, "rm", "--force", "--volumes", container.id)
            return container

        yield start
