"""Starts a system on a core of its own, sends requests, measures memory, and stops all its processes."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 180
STOP_SECONDS = 20


class Broken(Exception):
    """A system does not start, or predicts wrongly; the message says how."""


class Server:
    """A running system."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send one request, and return status and body of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Return once the response to this request is 200. Raise Broken after START_SECONDS."""
        deadline, last = time.monotonic() + START_SECONDS, "no answer"
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                status, answer = self.post(path, headers, body)
                if status == 200:
                    return
                last = f"{status} {answer[:200]!r}"
            time.sleep(0.2)
        raise Broken(f"does not start ({last}): {' | '.join(self.log.read_text(errors='replace').splitlines()[-3:])}")

    def pss(self) -> float:
        """Return the memory of all its processes in MB; shared pages count once."""
        return sum(map(_pss, tree(self.process.pid)))

    def stop(self) -> None:
        """Stop it with SIGTERM, and kill what is left after STOP_SECONDS."""
        family = tree(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, port: int, cores: str
) -> Iterator[Server]:
    """Start a command on these cores, and stop it at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", cores, *command],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    """Return the ids of a process and of all its descendants."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def _pss(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), 0.0)
