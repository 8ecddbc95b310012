"""Prepares a system: its virtual environment, its model, and its requests."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from testing.benchmark import environments, server, tables
from testing.benchmark.shapes import Shape, oip_binary
from testing.benchmark.systems import BASIC, OIP, System
from testing.benchmark.wrk import Load

HERE = Path(__file__).parent
WORK = environments.FOLDER
MODELS = {
    "svc": "iris_train.csv",
    "logistic": "iris_train.csv",
    "forest": "iris_train.csv",
    "mixed": "mixed_train.csv",
    "boosting": "mixed_train.csv",
}
TARGETS = {"iris_train.csv": "species", "mixed_train.csv": "leaves"}
BOUNDARY = "benchmark"


@dataclass(frozen=True)
class Case:
    """A system with one model and one request shape, ready to start."""

    system: System
    model: str
    shape: str
    python: Path

    @property
    def folder(self) -> Path:
        """Folder of its model: a copy of the project, or a folder with a pickle."""
        return WORK / ("forks" if self.system.project else f"models/{self.system.venv}") / self.model

    @property
    def expected(self) -> Any:
        """scikit-learn's predictions for the test table, in this environment."""
        return json.loads((WORK / "models" / self.system.venv / self.model / "expected.json").read_text())

    @property
    def asked(self) -> Shape:
        """Shape of a request for one row. The seed's design takes a table instead, and returns the accuracy."""
        row = tables.rows(MODELS[self.model], TARGETS[MODELS[self.model]])[0]
        if self.shape == "oip":
            return replace(OIP, path=self.system.oip)
        return oip_binary(self.system.oip, row) if self.shape == "oip binary" else self.system.row

    @property
    def load(self) -> Load:
        """The requests to send: a different row in each, or with the seed's design the table in a different order."""
        sample = MODELS[self.model]
        credentials = {"Authorization": BASIC} if self.system.csv or self.system.project else {}
        if self.shape == "csv":
            kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            bodies = [_form(table, TARGETS[sample]) for table in tables.rotations(sample)]
            return Load(self.system.csv, credentials | kind, bodies)
        bodies = [self.asked.body(row) for row in tables.rows(sample, TARGETS[sample])]
        return Load(self.asked.path, credentials | dict(self.asked.headers), bodies)

    @contextmanager
    def start(self, cores: str, **environment: str) -> Iterator[server.Server]:
        """Start the system on these cores with further settings, and wait until it responds. Raise server.Broken."""
        port = server.free_port()
        names = {"python": self.python, "port": port, "folder": self.folder, "peers": HERE / "peers"}
        settings = {name: value.format(**names) for name, value in self.system.environment.items()}
        settings |= {"PATH": f"{self.python.parent}:{os.environ['PATH']}"}
        command = [part.format(**names) for part in self.system.command]
        cwd = self.folder if self.system.project else WORK
        (WORK / "logs").mkdir(exist_ok=True)
        log = WORK / "logs" / f"{self.python.parents[1].name}.{self.model}.{port}.log"
        load = self.load
        with server.running(command, cwd, settings | environment, log, port, cores) as running:
            running.wait(load.path, load.headers, load.bodies[0])
            yield running

    def check(self, running: server.Server) -> None:
        """Send all requests, 16 at a time, so that batches form. Raise server.Broken if a prediction is wrong."""
        load = self.load
        if self.system.name == "raw ASGI":
            return
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda body: running.post(load.path, load.headers, body), load.bodies))
        for row, (status, body) in enumerate(answers):
            if status != 200 or not self._right(body, row):
                raise server.Broken(f"predicts row {row} wrongly: {status} {body[:300]!r}")

    def _right(self, answer: bytes, row: int) -> bool:
        if self.shape == "csv":
            return bool(json.loads(answer)["output"] == self.expected["accuracy"])
        return self.asked.answer(answer) == [self.expected["labels"][row]]


def case(system: System, model: str, shape: str) -> Case:
    """Create the environment, train the model, and return the case. Raise environments.Unavailable."""
    found = Case(system, model, shape, environments.python(system.venv, system.requirements))
    tables.write()
    _peers_model(found.python, WORK / "models" / system.venv / model)
    if system.project:
        _fork(found.python, found.folder)
    return found


@cache
def _peers_model(python: Path, folder: Path) -> None:
    """Write the model that the peers load, and scikit-learn's predictions in that environment."""
    _call(python, HERE / "train.py", HERE / "estimators" / f"{folder.name}.py", tables.FOLDER, folder)


@cache
def _fork(python: Path, folder: Path) -> None:
    """Copy the project as a user would: with another table and estimator, trained from the command line."""
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("saved_models", "__pycache__")
    for name in ("rest_api", "gunicorn", "ML"):
        shutil.copytree(tables.ROOT / name, folder / name, ignore=ignored)
    shutil.copy(tables.ROOT / "wsgi.py", folder)
    for sample in (folder / "ML" / "src").glob("[!_]*.py"):
        sample.unlink()
    shutil.copy(HERE / "estimators" / f"{folder.name}.py", folder / "ML" / "src" / "classifier.py")
    shutil.copy(tables.FOLDER / MODELS[folder.name], folder / "ML" / "data")
    train(python, folder)


def train(python: Path, folder: Path) -> None:
    """Train another version, without held-out rows, so that it is the same model as the peers'."""
    settings = {"MODELS_DIR": str(folder / "ML" / "saved_models"), "HOLDOUT": "1e-9", "LOG_LEVEL": "warning"}
    table = folder / "ML" / "data" / MODELS[folder.name]
    command = (python, "-m", "ML.training", "classifier", table, TARGETS[table.name], "--force")
    _call(*command, cwd=folder, **settings)


def _form(table: bytes, target: str) -> bytes:
    """Return the multipart body of the seed's request: a table, and the name of its target."""
    field = 'Content-Disposition: form-data; name="{}"{}\r\n'
    file = field.format("csv_file", '; filename="test.csv"') + "Content-Type: text/csv\r\n"
    parts = [field.format("target_variable", "").encode() + b"\r\n" + target.encode(), file.encode() + b"\r\n" + table]
    return b"".join(f"--{BOUNDARY}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def _call(*command: Any, cwd: Path | None = None, **environment: str) -> None:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise environments.Unavailable(f"training its model failed: {(done.stderr or done.stdout).strip()[-500:]}")
