"""Several processes that fire at once, and what they tell."""

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
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def orders(shot: Shot, processes: int, concurrency: int, n: int | None, duration: float) -> list[Order]:
    """The shares of the processes: at most one request apart, and none of them without any."""
    concurrency = min(concurrency, n or concurrency)
    processes = min(processes, concurrency)
    callers, requests = _shares(concurrency, processes), _shares(n or 0, processes)
    return [Order(shot, callers[i], requests[i] if n else None, duration) for i in range(processes)]


def _shares(whole: int, parts: int) -> list[int]:
    each, more = divmod(whole, parts)
    return [each + (i < more) for i in range(parts)]


def fire(given: list[Order], tally: Tally, show: Callable[[], None]) -> None:
    """Carries the orders out, adding to the tally what comes of them. Ctrl-C ends it early."""
    with crew(given) as (pipes, processes):
        with interruptible(tally):
            follow(pipes, tally, show)
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            tally.hopeless = tally.hopeless or "a process of the load test ended by itself"


@contextmanager
def interruptible(tally: Tally) -> Iterator[None]:
    """Ctrl-C makes the tally hopeless: an exception might come in the middle of a message. The second one raises."""

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
    """Processes that begin together, once all are ready."""
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
    """Adds up what the processes tell until the last has ended; once it is hopeless for one, all stop."""
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
