"""The measurements: each model, request shape, system and number of connections that a goal in summary.py needs."""

from typing import NamedTuple

EVERYBODY = ("fast-ml", "FastAPI by hand", "LitServe", "BentoML", "MLServer", "MLflow", "Ray Serve")
START_SECONDS, CHECK_SECONDS, WARM_UP_SECONDS = 6, 0.5, 1


class Part(NamedTuple):
    """A table of results: these systems get the same requests for the same model, over each number of connections."""

    title: str
    model: str
    shape: str
    connections: tuple[int, ...]
    systems: tuple[str, ...]
    short: str
    drawn: bool = False


ORIGINAL = "fast-ml uncompiled"
OIP = "One row by the Open Inference Protocol"
PARTS = (
    Part("One JSON row, SVC", "svc", "row", (1, 32, 256), (*EVERYBODY, ORIGINAL, "raw ASGI"), "SVC", True),
    Part(f"{OIP}, JSON, SVC", "svc", "oip", (1, 32), ("fast-ml", "MLServer"), "OIP JSON, SVC"),
    Part(f"{OIP}, binary, SVC", "svc", "oip binary", (1, 32), ("fast-ml",), "OIP binary, SVC"),
    Part("CSV of 45 rows, SVC, with accuracy", "svc", "csv", (1, 32), ("fast-ml", "seed's design"), "CSV, SVC", True),
    Part("One JSON row, scaled logistic regression", "logistic", "row", (1, 32), (*EVERYBODY, ORIGINAL), "logistic"),
    Part("One JSON row, forest of 100", "forest", "row", (1, 32), EVERYBODY, "forest", True),
    Part(
        "One JSON row of numbers and text, imputed, scaled, encoded", "mixed", "row", (1, 32), EVERYBODY, "mixed", True
    ),
    Part(
        "One JSON row of numbers and text, the default classifier",
        "boosting",
        "row",
        (1, 32),
        ("fast-ml", ORIGINAL, "FastAPI by hand"),
        "default",
        True,
    ),
)
MODELS = tuple(dict.fromkeys(part.model for part in PARTS))
