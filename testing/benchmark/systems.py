"""The systems to compare: how to install and start each, and how to send it rows. Their code is in peers/."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from testing.benchmark import shapes
from testing.benchmark.shapes import Shape, of_json
from testing.benchmark.tables import ROOT

USER, PASSWORD = "admin", "benchmark"
BASIC = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()

LIBRARIES = ("scikit-learn", "pandas")
PROJECT = ("-r", str(ROOT / "requirements.txt"), "aiohttp", "-c", str(ROOT / "constraints.txt"))
GUNICORN = ("{python}", "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--chdir", "{peers}")
ASGI = (*GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", "--no-control-socket", "--keep-alive", "75")


@dataclass(frozen=True)
class System:
    """A system to compare. Its command and environment may use {python}, {port}, {folder} (its model) and {peers}."""

    name: str
    command: tuple[str, ...]
    row: Shape
    oip: str = ""
    venv: str = "fast-ml"
    requirements: tuple[str, ...] = PROJECT
    packages: tuple[str, ...] = ("fastapi", "uvicorn", "gunicorn", "scikit-learn")
    environment: dict[str, str] = field(default_factory=dict)
    csv: str = ""
    project: bool = False


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
    """Return the command for a peer that is a script."""
    return ("{python}", f"{{peers}}/{name}.py", "{folder}", "{port}")


def peer(name: str, command: tuple[str, ...], *packages: str, **fields: Any) -> System:
    """Return a system with a virtual environment of its own."""
    fields = {"row": ITSELF, "environment": MODEL, **fields}
    bare = tuple(package.partition("[")[0] for package in packages)
    venv = name.lower().replace(" ", "-")
    return System(
        name, command, venv=venv, requirements=(*packages, *LIBRARIES), packages=(*bare, *LIBRARIES), **fields
    )


BENTO = ("{python}", "-m", "bentoml", "serve", "bento_ml:Predictor", "--working-dir", "{peers}", "--port", "{port}")
BENTO_QUIET = {"BENTOML_HOME": "{folder}/bentoml", "BENTOML_DO_NOT_TRACK": "True"}
START, INFER = ("{folder}/gunicorn/start-server.sh",), "/v2/models/classifier/infer"
ITSELF = of_json("/predict", shapes.itself, shapes.prediction)
INSTANCES = of_json("/predict", shapes.instances, shapes.predictions)
LIST = of_json("/predict", lambda row: {"rows": [row]}, list)
OIP = of_json(INFER, shapes.oip, shapes.outputs)
MLFLOW = of_json("/invocations", shapes.mlflow, shapes.predictions)

ALL = (
    System("fast-ml", START, INSTANCES, environment=FAST_ML, csv="/get_prediction", oip=INFER, project=True),
    System("fast-ml uncompiled", START, INSTANCES, environment=FAST_ML | {"RUNTIME": "sklearn"}, project=True),
    System("seed's design", (*ASGI, "seed_design:app"), ITSELF, environment=MODEL, csv="/get_prediction"),
    System("FastAPI by hand", (*ASGI, "hand_written:app"), ITSELF, environment=MODEL),
    peer("LitServe", script("lit_serve"), "litserve"),
    peer("BentoML", BENTO, "bentoml", row=LIST, environment=MODEL | BENTO_QUIET),
    peer("MLServer", script("ml_server"), "mlserver", "mlserver-sklearn", row=OIP, oip=INFER),
    peer("MLflow", script("ml_flow"), "mlflow", row=MLFLOW),
    peer("Ray Serve", script("ray_serve"), "ray[serve]"),
    System("raw ASGI", (*ASGI, "raw_asgi:app"), INSTANCES, environment=MODEL),
)
PEERS = ("LitServe", "BentoML", "MLServer", "MLflow", "Ray Serve")
