"""Everything a system needs before it can be started: its environment, its model, and what to ask it."""

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testing.benchmark import environments, server, tables
from testing.benchmark.systems import BASIC, System, encode
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
    """A system with one of the models and one shape of request, ready to start."""

    system: System
    model: str
    shape: str
    python: Path

    @property
    def folder(self) -> Path:
        """Where its model is: a fork of the project, or a pickle."""
        return WORK / ("forks" if self.system.fork else f"models/{self.system.venv}") / self.model

    @property
    def expected(self) -> Any:
        """scikit-learn's own answers to the rows of the test table, in this environment."""
        return json.loads((WORK / "models" / self.system.venv / self.model / "expected.json").read_text())

    @property
    def load(self) -> Load:
        """The requests to send."""
        sample = MODELS[self.model]
        if self.shape == "csv":
            kind = f"multipart/form-data; boundary={BOUNDARY}"
            body = _form(tables.test_table(sample).read_bytes(), TARGETS[sample])
            return Load(self.system.csv_path, {"Authorization": BASIC, "Content-Type": kind}, [body])
        headers = {"Content-Type": "application/json"} | ({"Authorization": BASIC} if self.system.fork else {})
        bodies = [encode(self.system, row) for row in tables.rows(sample, TARGETS[sample])]
        return Load(self.system.path, headers, bodies)

    def start(self, cores: str, **environment: str) -> AbstractContextManager[server.Server]:
        """The system on these cores, with further settings."""
        port = server.free_port()
        names = {"python": self.python, "port": port, "folder": self.folder, "peers": HERE / "peers"}
        settings = {name: value.format(**names) for name, value in self.system.environment.items()}
        settings |= {"PATH": f"{self.python.parent}:{os.environ['PATH']}"}
        command = [part.format(**names) for part in self.system.command]
        cwd = self.folder if self.system.fork else WORK
        log = WORK / "logs" / f"{self.python.parents[1].name}.{self.model}.{port}.log"
        return server.running(command, cwd, settings | environment, log, port, cores)

    def check(self, running: server.Server) -> None:
        """Asks about every row, many at a time, so that batches form. Raises server.Broken for a wrong answer."""
        load = self.load
        running.wait(load.path, load.headers, load.bodies[0])
        if self.system.name == "raw ASGI":
            return
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda body: running.post(load.path, load.headers, body), load.bodies))
        for row, (status, body) in enumerate(answers):
            if status != 200 or not self._right(json.loads(body), row):
                raise server.Broken(f"answers row {row} wrongly: {status} {body[:300]!r}")

    def _right(self, answer: Any, row: int) -> bool:
        if self.shape == "csv":
            return bool(answer["output"] == self.expected["accuracy"])
        return self.system.answer(answer) == [self.expected["labels"][row]]


def case(system: System, model: str, shape: str) -> Case:
    """The case, with its environment made and its model trained. Raises environments.Unavailable."""
    found = Case(system, model, shape, environments.python(system.venv, system.requirements))
    (WORK / "logs").mkdir(parents=True, exist_ok=True)
    tables.write()
    models = WORK / "models" / system.venv / model
    _call(found.python, HERE / "train.py", HERE / "estimators" / f"{model}.py", tables.FOLDER, models)
    if system.fork:
        fork(found)
    return found


def fork(case: Case) -> None:
    """A copy of the project as its users have one: their table, their estimator, trained by the command."""
    shutil.rmtree(case.folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("saved_models", "__pycache__")
    for name in ("rest_api", "gunicorn", "ML"):
        shutil.copytree(tables.ROOT / name, case.folder / name, ignore=ignored)
    shutil.copy(tables.ROOT / "wsgi.py", case.folder)
    for sample in (case.folder / "ML" / "src").glob("[!_]*.py"):
        sample.unlink()
    shutil.copy(HERE / "estimators" / f"{case.model}.py", case.folder / "ML" / "src" / "classifier.py")
    table = shutil.copy(tables.FOLDER / MODELS[case.model], case.folder / "ML" / "data")
    train(case, Path(table))


def train(case: Case, table: Path) -> None:
    """A further version of the model. No row is held out, so that it is the peers' model."""
    settings = {"MODELS_DIR": str(case.folder / "ML" / "saved_models"), "HOLDOUT": "1e-9", "LOG_LEVEL": "warning"}
    _call(case.python, "-m", "ML.training", "classifier", table, TARGETS[table.name], cwd=case.folder, **settings)


def _form(table: bytes, target: str) -> bytes:
    """The seed's own request: a table and the name of its target."""
    field = 'Content-Disposition: form-data; name="{}"{}\r\n'
    file = field.format("csv_file", '; filename="test.csv"') + "Content-Type: text/csv\r\n"
    parts = [field.format("target_variable", "").encode() + b"\r\n" + target.encode(), file.encode() + b"\r\n" + table]
    return b"".join(f"--{BOUNDARY}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def _call(*command: Any, cwd: Path | None = None, **environment: str) -> None:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise environments.Unavailable(f"its model can't be made: {(done.stderr or done.stdout).strip()[-500:]}")
