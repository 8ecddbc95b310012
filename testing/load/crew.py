"""Run several load-generating processes at once, and collect their results."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from testing.load import firing
from testing.load.firing import Order
from testing.load.shot import Shot
from testing.load.tally import Tally


def cores() -> int:
    """Return the CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def orders(shot: Shot, processes: int, concurrency: int, n: int | None, duration: float) -> list[Order]:
    """Divide the requests among the processes: shares differ by at most one, and none is empty."""
    concurrency = min(concurrency, n or concurrency)
    processes = min(processes, concurrency)
    callers, requests = _shares(concurrency, processes), _shares(n or 0, processes)
    return [Order(shot, callers[i], requests[i] if n else None, duration) for i in range(processes)]


def _shares(whole: int, parts: int) -> list[int]:
    each, more = divmod(whole, parts)
    return [each + (i < more) for i in range(parts)]


def fire(given: list[Order], tally: Tally, show: Callable[[], None]) -> None:
    """Run the orders and add the results to the tally. Ctrl-C stops early."""
    with crew(given) as (pipes, processes):
        with interruptible(tally):
            follow(pipes, tally, show)
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            tally.hopeless = tally.hopeless or "a process of the load test ended by itself"


@contextmanager
def interruptible(tally: Tally) -> Iterator[None]:
    """Make the first Ctrl-C only mark the run as stopped: raising could interrupt a message. The second one raises."""

    def interrupt(*_: object) -> None:
        tally.hopeless = "interrupted"
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def crew(given: list[Order]) -> Iterator[tuple[list[Connection], list[SpawnProcess]]]:
    """Start processes, and release them together when all are ready."""
    spawn = multiprocessing.get_context("spawn")
    # Ctrl-C reaches every process of a terminal: this one alone decides what follows.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipes, processes = [], []
    for order in given:
        ours, theirs = spawn.Pipe()
        processes.append(spawn.Process(target=firing.main, args=(order, theirs), daemon=True))
        processes[-1].start()
        theirs.close()
        pipes.append(ours)
    signal.signal(signal.SIGINT, before)
    with suppress(EOFError, OSError):  # of one that ended by itself; its exit code tells
        for pipe in pipes:
            pipe.recv()
    _tell(pipes, time.monotonic())
    yield pipes, processes


def follow(pipes: list[Connection], tally: Tally, show: Callable[[], None]) -> None:
    """Add up the results until the last process ends. If one process gives up, all stop."""
    live, told = [pipe for pipe in pipes if not pipe.closed], False
    while live:
        for pipe in wait(live, timeout=firing.TELL):
            assert isinstance(pipe, Connection)
            try:
                tally.merge(pipe.recv())
            except (EOFError, OSError):
                pipe.close()
                live.remove(pipe)
        if tally.hopeless and not told:
            _tell(live, None)
            told = True
        show()


def _tell(pipes: list[Connection], message: float | None) -> None:
    for pipe in pipes:
        with suppress(OSError):
            pipe.send(message)
