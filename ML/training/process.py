"""The training process: holds a lock while it runs, and can be stopped from any worker."""

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
"""The lock file in a model's folder: locked while a training runs, and contains which one."""

LOWEST_PRIORITY = 19
"""Nice value, for systems without SCHED_IDLE."""

OUT_OF_MEMORY = signal.SIGUSR1
"""Signal that stops a training when memory runs low. Nothing else sends it, so the exit code identifies the cause."""

POLL_SECONDS = 0.5
"""Seconds between checks whether the training shall stop."""


def record(model: str, version: int, pid: int) -> None:
    """Write into the lock file which process trains, and when it started: the system may reuse its number."""
    with suppress(OSError):  # the disk is full; the process can still be stopped by its stop file
        (files.folder(model) / LOCK).write_text(f"{version} {pid} {start_time(pid)}")


def lower_priority(pid: int) -> None:
    """Let a training run only while requests leave a processor idle, and be the first that the OOM killer picks.

    Called as soon as it starts, because its imports take seconds. Nice 19 alone is not enough: requests would wait for
    the end of its time slice, 4 ms on common kernels. Sources: sched(7), SCHED_IDLE; proc(5), oom_score_adj.
    """
    with suppress(OSError):  # it has ended
        os.setpriority(os.PRIO_PROCESS, pid, LOWEST_PRIORITY)
    with suppress(OSError, AttributeError):  # it has ended, or this is not Linux
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):  # the same
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


def obey_limits(model: str, version: int) -> None:
    """Make this process end after TRAIN_TIMEOUT seconds, or once its stop file exists."""
    # The default handler, so that the kernel ends the process even inside a library's loop.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(settings().train_timeout)
    threading.Thread(target=_obey, args=(files.folder(model, version) / files.STOP,), daemon=True).start()


def stop(model: str, version: int) -> None:
    """Kill the process that trains a version. On another machine or in another container, it obeys the stop file."""
    with suppress(OSError):
        (files.folder(model, version) / files.STOP).touch()
    with suppress(OSError, ValueError):
        number, pid, started = (files.folder(model) / LOCK).read_text().split()
        if int(number) == version:
            send_signal(int(pid), started, signal.SIGKILL)


def send_signal(pid: int, started: str, signum: int) -> None:
    """Send a signal to the process that has this id and started at this time, if it still runs."""
    if sys.platform == "linux":
        with suppress(OSError):
            handle = os.pidfd_open(pid)
            try:
                # The handle can't come to mean another process, so comparing the start times now is safe.
                if start_time(pid) == started:
                    signal.pidfd_send_signal(handle, signum)
            finally:
                os.close(handle)


def start_time(pid: int) -> str:
    """Return when a process started, in ticks since boot (field 22 of stat, proc(5)); `-` if the system has none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "-"


def _obey(stop_file: Path) -> None:
    while not stop_file.exists():
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
