"""BentoML with adaptive batching: docs.bentoml.com/en/latest/get-started/adaptive-batching.html."""

import os
from typing import Any

import bentoml  # type: ignore[import-not-found]
from _model import Model  # type: ignore[import-not-found]


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Predictor:
    def __init__(self) -> None:
        self.model = Model(os.environ["MODEL_FOLDER"])

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=60_000)
    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        return self.model.predict(rows)
