"""Start the real server in a process of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).parent / "measured"
USER, PASSWORD = "admin", "a password: with colon"
CSV = "text/csv"


class Server:
    """gunicorn as `make run` starts it, on a free port and with its own store."""

    def __init__(self, project: Path, models_dir: Path, *, coverage: bool = True, **environment: str) -> None:
        self.project, self.models_dir = project, models_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PORT": str(self.port),
            "SERVICE_PASS": PASSWORD,
            "MODELS_DIR": str(models_dir),
            "WEB_CONCURRENCY": "2",
            "PYTHONWARNINGS": "error",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        config = self.environment.pop("COVERAGE_PROCESS_CONFIG", None)
        self.environment |= measured(config) if coverage else {}
        self.output = models_dir.parent / f"{models_dir.name}.{self.port}.log"
        self.client = httpx.Client(base_url=self.url, auth=(USER, PASSWORD), timeout=120)

    def start(self) -> "Server":
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [self.project / "gunicorn" / "start-server.sh"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while not self._answers():
            assert self.process.poll() is None, f"the server exited: {self.log}"
            assert time.monotonic() < deadline, f"the server did not start in time: {self.log}"
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        try:
            return self.client.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Stop it as `docker stop` does, and return its exit code."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers, in the order in which they were started."""
        return [child for child in self._children() if process_name(child) not in ("", "fork server")]

    @property
    def fork_server(self) -> int:
        """The process id of the fork server."""
        return next(child for child in self._children() if process_name(child) == "fork server")

    def _children(self) -> list[int]:
        master = self.process.pid
        return [int(child) for child in Path(f"/proc/{master}/task/{master}/children").read_text().split()]

    @property
    def log(self) -> str:
        return self.output.read_text()

    def logs(self, text: str, times: int = 1) -> bool:
        """Return whether the log has the text this often within 10 s. Lines are written shortly after the answer."""
        return eventually(lambda: self.log.count(text) >= times)

    def train(self, csv: str | bytes, target: str, **fields: str) -> httpx.Response:
        return self.client.post("/train_model", files={"csv_file": csv}, data={"target_variable": target, **fields})

    def predict_csv(self, csv: str | bytes, **fields: str) -> httpx.Response:
        return self.client.post("/get_prediction", files={"csv_file": csv}, data=fields)

    def predict(self, instances: Any, model: str | None = None, **parameters: Any) -> httpx.Response:
        path = f"/models/{model}/predict" if model else "/predict"
        return self.client.post(path, json={"instances": instances, "parameters": parameters})


def measured(config: str | None) -> dict[str, str]:
    """Return the environment in which a process measures its coverage from its libraries on, if there is any to do."""
    return {"FAST_ML_COVERAGE": config, "PYTHONPATH": str(MEASURED)} if config else {}


def process_name(pid: int) -> str:
    """Return the name of a process, empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def eventually(found: Callable[[], bool], seconds: float = 10) -> bool:
    """Return whether the condition becomes true within the time."""
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def servers(
    factory: pytest.TempPathFactory, sample_store: Path, coverage: bool = True
) -> Iterator[Callable[..., Server]]:
    """Start servers, and stop all of them at the end."""
    with ExitStack() as stack:

        def start(project: Path = ROOT, *, coverage: bool = coverage, **environment: str) -> Server:
            models_dir = Path(environment.get("MODELS_DIR", factory.mktemp("store") / "models"))
            if "MODELS_DIR" not in environment and environment.get("BOOTSTRAP") != "false":
                shutil.copytree(sample_store, models_dir)
                environment["BOOTSTRAP"] = "false"
            server = Server(project, models_dir, coverage=coverage, **environment).start()
            stack.callback(server.client.close)  # also of a server that a test has stopped
            stack.callback(lambda: server.process.poll() is None and server.stop())
            return server

        yield start
