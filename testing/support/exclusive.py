"""Tests side by side in two processes (pytest-xdist), but for those that measure: these run while no other does."""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

# Files that take long come first, so that no process is left with one at the end. Files that measure come before them:
# a long test among these would keep the other process waiting.
LONG = ["test_random_pipelines", "test_random_tables", "test_container", "test_platforms", "test_readme"]


@contextmanager
def locked(file: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Holds the lock of a file, which other processes of this run may want too."""
    with file.open("a") as lock:
        fcntl.flock(lock, how)
        yield


def common(config: pytest.Config) -> Path:
    """A folder that all processes of this run share."""
    own = Path(config._tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Others share the lock; one marked `alone` has it to itself, and its time limit starts when it has got it."""
    how = fcntl.LOCK_EX if item.get_closest_marker("exclusive") else fcntl.LOCK_SH
    with ExitStack() as stack:
        with locked(common(item.config) / "queue"):  # or those who share it would never let one alone get it
            stack.enter_context(locked(common(item.config) / "lock", how))
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the files, and leaves the order of tests in each."""
    measuring = {item.path for item in items if item.get_closest_marker("exclusive")}

    def place(item: pytest.Item) -> int:
        if item.path in measuring:
            return -1
        return LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG)

    items.sort(key=place)
