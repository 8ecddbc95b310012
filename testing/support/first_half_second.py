"""Measure the coverage of each test's first half second of CPU: later examples repeat it, at twice the time."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

import coverage
import pytest

CPU_SECONDS = 0.5


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Stop measuring when the test has used its time, and go on with the next test."""
    running = coverage.Coverage.current()
    if not running:
        return (yield)
    with _limited(running):
        return (yield)


@contextmanager
def _limited(running: coverage.Coverage) -> Generator[None]:
    stopped = []

    def stop(*_: object) -> None:
        stopped.append(True)
        running.stop()

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        if stopped:
            running.start()
