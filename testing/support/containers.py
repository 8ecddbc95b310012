"""The image, built by the README's command, and containers of it."""

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
STARTS = 90  # seconds that a start may take on a busy machine


def docker(*arguments: str, check: bool = True) -> str:
    """What `docker ...` printed, both streams."""
    ended = subprocess.run(
        ["docker", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert not check or ended.returncode == 0, ended.stdout[-3000:]
    return ended.stdout.strip()


class Container:
    """A container of the image; its port is published on a free one of this machine."""

    def __init__(self, *options: str, port: int = 8000, command: str = "") -> None:
        self.url = f"http://127.0.0.1:{(free := free_port())}"
        self.id = docker("run", "--detach", "--publish", f"{free}:{port}", *options, IMAGE, *command.split())

    def until(self, done: Callable[[], Any]) -> Any:
        """The first true answer of `done`; fails if the container ends or takes too long."""
        deadline = time.monotonic() + STARTS
        while not (found := done()):
            assert self.state("Running") == "true", self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)
        return found

    def ready(self) -> "Container":
        self.until(lambda: "ready" in curl(f"{self.url}/health/ready"))
        return self

    def state(self, field: str) -> str:
        return docker("inspect", "--format", f"{{{{.State.{field}}}}}", self.id)

    def sh(self, script: str) -> str:
        return docker("exec", self.id, "sh", "-c", script)

    @property
    def log(self) -> str:
        return docker("logs", self.id)


def curl(*arguments: str) -> str:
    """What curl printed of the answer's body; nothing while nobody answers."""
    return subprocess.run(["curl", "--silent", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="module")
def image() -> str:
    """The image, built by the README's command."""
    there = shutil.which("docker") and not subprocess.run(["docker", "info"], capture_output=True).returncode
    if not there:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no Docker engine")
    docker("build", "-t", IMAGE, ".")
    return IMAGE


@pytest.fixture
def run(image: str) -> Iterator[Callable[..., Container]]:
    """Starts a container; all are removed afterwards, with their anonymous volumes."""
    with ExitStack() as stack:

        def start(*options: str, port: int = 8000, command: str = "") -> Container:
            container = Container(*options, port=port, command=command)
            stack.callback(docker, "rm", "--force", "--volumes", container.id)
            return container

        yield start
