"""The process of a training: it holds a lock while it lives, and can be stopped from wherever somebody asks."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from ML.config.config import settings
from ML.versions import files

LOCK = "training"
PRIORITY = 19
"""The lowest, for systems that have no SCHED_IDLE."""

SHORT = signal.SIGUSR1
"""What ends a training for which the memory does not suffice: nothing else sends it, so its exit code says why."""

POLL_SECONDS = 0.5
"""Seconds between two looks for somebody's wish to stop."""


def record(model: str, version: int, pid: int) -> None:
    """Notes in the lock's file which process trains, with the time of its birth: its number may be given out again."""
    with suppress(OSError):  # a full disk: then it is stopped by the file
        (files.folder(model) / LOCK).write_text(f"{version} {pid} {_start_time(pid)}")


def lower_priority(pid: int) -> None:
    """Puts a training behind the requests, from its first import on: those take seconds.

    It runs while they leave a processor idle: at a mere nice 19 they wait for its turn to end, 4 ms on common kernels
    (sched(7), SCHED_IDLE). Where memory runs out, it is what the kernel ends first (proc(5), oom_score_adj).
    """
    with suppress(OSError):  # it has ended already
        os.setpriority(os.PRIO_PROCESS, pid, PRIORITY)
    with suppress(OSError, AttributeError):  # the same, or this is no Linux
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):  # the same, or this is no Linux
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


def obey_limits(model: str, version: int) -> None:
    """What a training does first that a server began: it lets itself be ended."""
    # Undone by nobody: the kernel ends the process, whatever library it is in.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(settings().train_timeout)
    threading.Thread(target=_obey, args=(files.folder(model, version) / files.STOP,), daemon=True).start()


def stop(model: str, version: int) -> None:
    """Ends the process that trains a version. One of another machine or container finds the file and ends itself."""
    with suppress(OSError):
        (files.folder(model, version) / files.STOP).touch()
    with suppress(OSError, ValueError):
        number, pid, born = (files.folder(model) / LOCK).read_text().split()
        if int(number) == version:
            _kill(int(pid), born)


def _kill(pid: int, born: str) -> None:
    if sys.platform == "linux":
        held = os.pidfd_open(pid)
        try:
            # From here on the number stands for this process: the one that trains, if it was born when that was.
            if _start_time(pid) == born:
                signal.pidfd_send_signal(held, signal.SIGKILL)
        finally:
            os.close(held)


def _start_time(pid: int) -> str:
    """When a process began, in ticks since the machine did: field 22 of proc(5)'s stat; `-` where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "-"


def _obey(wish: Path) -> None:
    while not wish.exists():
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
