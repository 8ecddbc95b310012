"""What is compared: how each is installed, started, asked and understood. The peers themselves are in peers/."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from testing.benchmark.tables import ROOT, Row

USER, PASSWORD = "admin", "benchmark"
BASIC = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()

LIBRARIES = ("scikit-learn", "pandas")
PROJECT = ("-r", str(ROOT / "requirements.txt"), "aiohttp", "-c", str(ROOT / "constraints.txt"))
GUNICORN = ("{python}", "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--chdir", "{peers}")
ASGI = (*GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", "--no-control-socket", "--keep-alive", "75")


@dataclass(frozen=True)
class System:
    """One of those compared. `{python}`, `{port}`, `{folder}` (its model) and `{peers}` stand for what they say."""

    name: str
    command: tuple[str, ...]
    path: str
    body: Callable[[list[Row]], Any]
    answer: Callable[[Any], list[Any]]
    venv: str = "fast-ml"
    requirements: tuple[str, ...] = PROJECT
    packages: tuple[str, ...] = ("fastapi", "uvicorn", "gunicorn", "scikit-learn")
    environment: dict[str, str] = field(default_factory=dict)
    shapes: tuple[str, ...] = ("row",)
    csv_path: str = "/get_prediction"

    @property
    def fork(self) -> bool:
        """Whether it runs in a copy of the project."""
        return self.name == "fast-ml"


def one(rows: list[Row]) -> Any:
    """The row itself, where the peer's code decides what the JSON looks like."""
    return rows[0]


def instances(rows: list[Row]) -> Any:
    """fast-ml's, KServe's and Vertex's way."""
    return {"instances": rows}


def oip(rows: list[Row]) -> Any:
    """Open Inference Protocol: one tensor of numbers, else one input a column, which MLServer joins to a DataFrame."""
    names = list(rows[0])
    if all(isinstance(value, float) for value in rows[0].values()):
        data = [list(row.values()) for row in rows]
        return {"inputs": [{"name": "X", "shape": [len(rows), len(names)], "datatype": "FP64", "data": data}]}
    kinds = {name: "FP64" if isinstance(rows[0][name], float) else "BYTES" for name in names}
    inputs = [
        {"name": name, "shape": [len(rows), 1], "datatype": kinds[name], "data": [row[name] for row in rows]}
        | ({"parameters": {"content_type": "str"}} if kinds[name] == "BYTES" else {})
        for name in names
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def mlflow(rows: list[Row]) -> Any:
    """MLflow's scoring protocol: an array of numbers, else a DataFrame in its `split` form."""
    data = [list(row.values()) for row in rows]
    if all(isinstance(value, float) for value in data[0]):
        return {"inputs": data}
    return {"dataframe_split": {"columns": list(rows[0]), "data": data}}


def prediction(answer: Any) -> list[Any]:
    """The one prediction."""
    return [answer["prediction"]]


def predictions(answer: Any) -> list[Any]:
    """A list of them."""
    return list(answer["predictions"])


FAST_ML = {
    "PORT": "{port}",
    "SERVICE_USER": USER,
    "SERVICE_PASS": PASSWORD,
    "WEB_CONCURRENCY": "1",
    "LOG_FILE": "",
    "MODELS_DIR": "{folder}/ML/saved_models",
}
MODEL = {
    "MODEL_FOLDER": "{folder}",
    "PYTHONPATH": "{peers}",
    "SERVICE_USER": USER,
    "SERVICE_PASS": PASSWORD,
    "WEB_CONCURRENCY": "1",
}


def script(name: str) -> tuple[str, ...]:
    """A peer that starts itself."""
    return ("{python}", f"{{peers}}/{name}.py", "{folder}", "{port}")


def peer(name: str, command: tuple[str, ...], *packages: str, **fields: Any) -> System:
    """One with an environment of its own."""
    fields = {"path": "/predict", "body": one, "answer": prediction, "environment": MODEL, **fields}
    bare = tuple(package.partition("[")[0] for package in packages)
    venv = name.lower().replace(" ", "-")
    return System(
        name, command, venv=venv, requirements=(*packages, *LIBRARIES), packages=(*bare, *LIBRARIES), **fields
    )


BENTO = ("{python}", "-m", "bentoml", "serve", "bento_ml:Predictor", "--working-dir", "{peers}", "--port", "{port}")
BENTO_QUIET = {"BENTOML_HOME": "{folder}/bentoml", "BENTOML_DO_NOT_TRACK": "True"}
MLSERVER: dict[str, Any] = {
    "path": "/v2/models/classifier/infer",
    "body": oip,
    "answer": lambda answer: answer["outputs"][0]["data"],
}

ALL = (
    System(
        "fast-ml",
        ("{folder}/gunicorn/start-server.sh",),
        "/predict",
        instances,
        predictions,
        environment=FAST_ML,
        shapes=("row", "csv"),
    ),
    System("seed's design", (*ASGI, "seed_design:app"), "", one, list, environment=MODEL, shapes=("csv",)),
    System("FastAPI by hand", (*ASGI, "hand_written:app"), "/predict", one, prediction, environment=MODEL),
    peer("LitServe", script("lit_serve"), "litserve"),
    peer("BentoML", BENTO, "bentoml", body=lambda rows: {"rows": rows}, answer=list, environment=MODEL | BENTO_QUIET),
    peer("MLServer", script("ml_server"), "mlserver", "mlserver-sklearn", **MLSERVER),
    peer("MLflow", script("ml_flow"), "mlflow", path="/invocations", body=mlflow, answer=predictions),
    peer("Ray Serve", script("ray_serve"), "ray[serve]"),
    System("raw ASGI", (*ASGI, "raw_asgi:app"), "/predict", instances, list, environment=MODEL),
)
PEERS = ("LitServe", "BentoML", "MLServer", "MLflow", "Ray Serve")


def encode(system: System, row: Row) -> bytes:
    """The body of a request for one row."""
    return json.dumps(system.body([row])).encode()
