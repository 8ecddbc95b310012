"""Run tests side by side in several processes (pytest-xdist), except those that measure: they run alone."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

# The longest files start first, so that no process is left with a long one at the end. Files that measure start before
# them: while one of their tests runs, the other processes wait.
LONG = [
    "faults/test_openapi.py",
    "faults/test_training.py",
    "security/test_bounds.py",
    "whole/test_random_tables.py",
    "compiler/test_random_pipelines.py",
    "faults/test_store.py",
    "whole/test_container.py",
    "whole/test_readme.py",
    "training/test_gate.py",
    "whole/test_platforms.py",
    "whole/test_clients.py",
    "serving/test_every_row.py",
]

SLOW = {"serve", "shared", "fork", "sample_store"}
"""Fixtures that start a server or copy the project to train in it."""

FOLDER = "FAST_ML_TESTS"
"""Environment variable with the folder that all processes of a run share."""


@contextmanager
def locked(file: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock of a file that other processes of this run may want too."""
    with file.open("a") as lock:
        fcntl.flock(lock, how)
        yield


def common() -> Path:
    """Return the folder that all processes of this run share."""
    return Path(os.environ[FOLDER])


def pytest_configure(config: pytest.Config) -> None:
    """Make the common folder, unless another process of this run has. Those of pytest-xdist inherit its name."""
    if FOLDER not in os.environ:
        os.environ[FOLDER] = folder = tempfile.mkdtemp(prefix="fast-ml-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        config.add_cleanup(lambda: os.environ.__delitem__(FOLDER))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Hold a shared lock during a test, or an exclusive one if the test is marked so. Its timeout starts afterwards."""
    how = fcntl.LOCK_EX if item.get_closest_marker("exclusive") else fcntl.LOCK_SH
    with ExitStack() as stack:
        with locked(common() / "queue"):  # otherwise the tests that share the lock could keep an exclusive one out
            stack.enter_context(locked(common() / "lock", how))
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files, keep the order of tests within each, and mark the slow tests."""
    measuring = {item.path for item in items if item.get_closest_marker("exclusive")}

    def place(item: pytest.Item) -> int:
        if item.path in measuring:
            return -1
        name = "/".join(item.path.parts[-2:])
        return LONG.index(name) if name in LONG else len(LONG)

    items.sort(key=place)
    for item in items:
        if isinstance(item, pytest.Function) and SLOW.intersection(item.fixturenames):
            item.add_marker("slow")
