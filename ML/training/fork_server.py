"""The fork server: a process that has loaded the libraries, so that a training starts in milliseconds.

A new Python needs two seconds of CPU to import scikit-learn. The fork server shares the memory of the process that
calls `launch`, and each of that process's later forks may ask it for trainings. (Only its parent may ask
multiprocessing's fork server.)
"""

import logging
import multiprocessing
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import numpy as np

from ML.training import process

NAME = "fork server"
"""The name of the process in `ps -o comm`."""

_NUMBER = struct.Struct("i")
_LONGEST_REQUEST = 1024

_requests: socket.socket | None = None
"""Where this process and its forks send requests, None without a fork server. Set once, before any fork."""


class Training:
    """A training that the fork server started. It has what its watcher uses of `subprocess.Popen`."""

    def __init__(self, pid: int, ending: int) -> None:
        self.pid = pid
        self._started = process.start_time(pid)
        self._ending = open(ending, "rb", buffering=0)  # noqa: SIM115 - open until the training ends
        self._code: int | None = None
        os.set_blocking(ending, False)

    def poll(self) -> int | None:
        """Return the exit code, negative if a signal ended it, or None while it runs."""
        if self._code is None and (answer := self._ending.read(_NUMBER.size)) is not None:
            # Without an answer the fork server has died, so nobody knows the code.
            self._code = _NUMBER.unpack(answer)[0] if answer else os.EX_SOFTWARE
            self._ending.close()
        return self._code

    def send_signal(self, signum: int) -> None:
        """Send a signal, unless the process has ended."""
        process.send_signal(self.pid, self._started, signum)


def launch(train: Callable[[str, int], int]) -> None:
    """Fork the fork server. In its own forks it calls `train(model, version)`, which returns the exit code.

    It ends when this process and all its forks have ended. Without Linux there is none, and `start` returns None.
    """
    global _requests
    if sys.platform != "linux":
        return
    _requests, served = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        served.close()
        return
    _requests.close()  # otherwise it would wait for itself
    try:
        _serve(served, train)
    finally:
        os._exit(0)


def start(model: str, version: int, lock: int) -> Training | None:
    """Start the training of a claimed version, which inherits the training lock. Return None without a fork server.

    Raise OSError if the system allows no further process.
    """
    if not _requests:
        return None
    ending, theirs = os.pipe()
    try:
        socket.send_fds(_requests, [f"{model}/{version}".encode()], [lock, theirs])
    except OSError:  # it was killed
        os.close(ending)
        return None
    finally:
        os.close(theirs)
    if not (pid := os.read(ending, _NUMBER.size)):
        os.close(ending)
        raise OSError("the fork server could start no process")
    return Training(_NUMBER.unpack(pid)[0], ending)


def _serve(requests: socket.socket, train: Callable[[str, int], int]) -> None:
    """Start trainings and report how they end, until nobody is left who could ask."""
    Path("/proc/self/comm").write_text(NAME)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the server, which finishes its requests first
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                if key.data:
                    _report(selector, key)
                elif not _begin(selector, requests, train):
                    selector.unregister(requests)


def _begin(selector: selectors.BaseSelector, requests: socket.socket, train: Callable[[str, int], int]) -> bool:
    """Fork a training and report its process id. Return False if no request came, because nobody is left."""
    message, handles, *_ = socket.recv_fds(requests, _LONGEST_REQUEST, 2)
    if not message:
        return False
    lock, ending = handles
    try:
        pid = os.fork()
    except OSError:
        os.close(ending)
    else:
        if not pid:
            requests.close()
            _train(message.decode(), train)
        process.lower_priority(pid)
        _tell(ending, pid)
        selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, ending))
    os.close(lock)
    return True


def _report(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Report the exit code of a training that has ended."""
    pid, ending = key.data
    selector.unregister(key.fileobj)
    os.close(key.fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _tell(ending, code)
    os.close(ending)


def _tell(ending: int, number: int) -> None:
    with suppress(BrokenPipeError):  # the worker that asked has ended
        os.write(ending, _NUMBER.pack(number))


def _train(name: str, train: Callable[[str, int], int]) -> NoReturn:
    """Train in a new fork, and end it. It shares nothing with its parent that matters, not even chance."""
    code = 1
    try:
        Path("/proc/self/comm").write_text("training")
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        np.random.seed()  # estimators without a random_state use this generator
        model, _, version = name.rpartition("/")
        code = train(model, int(version))
        for child in multiprocessing.active_children():  # joblib keeps its processes for the next call
            child.terminate()
    except BaseException:
        logging.getLogger("fast_ml.training").exception("training of %s failed", name)
    finally:
        sys.stdout.flush()
        os._exit(code)
