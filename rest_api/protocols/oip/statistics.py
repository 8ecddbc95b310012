"""Triton's statistics of a model: how many inferences, and how long their parts took, over all workers.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
"""

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from fastapi import APIRouter, Request
from prometheus_client.samples import Sample
from pydantic import BaseModel, Field

from ML.errors import Problem
from ML.prediction.predictor import Predictor
from ML.training import estimators
from rest_api.protocols.oip import live_version
from rest_api.serving.call_time import CALL_TIMES
from rest_api.telemetry import counts as metrics
from rest_api.telemetry import prometheus

router = APIRouter(tags=["Open Inference Protocol v2"])

BILLION = 1_000_000_000


class Duration(BaseModel):
    """How often, and how many nanoseconds in all."""

    count: int = 0
    ns: int = 0


class InferenceStatistics(BaseModel):
    """Requests to `infer` that succeeded or failed, and the parts of those that succeeded."""

    success: Duration = Duration()
    fail: Duration = Duration()
    queue: Duration = Field(Duration(), description="Until the model's call began")
    compute_input: Duration = Field(Duration(), description="From the whole body to checked rows")
    compute_infer: Duration = Field(Duration(), description="The model's call, for all requests that share it")
    compute_output: Duration = Field(Duration(), description="From predictions to the body of the answer")


class ModelStatistics(BaseModel):
    """All workers' counts since the server's start, over all versions of the model."""

    name: str
    version: str = Field(description="The live one")
    last_inference: int = Field(0, description="Milliseconds since 1970 of the last request to `infer`; 0 for none")
    inference_count: int = Field(0, description="Rows predicted, by whatever route they came")
    execution_count: int = Field(0, description="Calls of the model: requests share them")
    inference_stats: InferenceStatistics = InferenceStatistics()
    batch_stats: list[dict[str, Any]] = Field([], description="Not kept by size of the batch")


class Statistics(BaseModel):
    """Statistics of models."""

    model_stats: list[ModelStatistics]


class Timer:
    """Times a request to `infer`, and counts it when the `with` block ends. Call `mark` after each part."""

    __slots__ = ("_live", "_marks")

    def __init__(self, live: Predictor) -> None:
        self._live, self._marks = live, [time.perf_counter()]

    def restart(self) -> None:
        """Begin anew: what came before was the wait for the caller's bytes."""
        self._marks = [time.perf_counter()]

    def mark(self) -> None:
        """End a part: the input, then the predictions."""
        self._marks.append(time.perf_counter())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        now, model = time.perf_counter(), self._live.card.model
        if kind is None:
            begun, parsed, answered = self._marks
            # The call that answered these rows is the latest one, or close to it.
            call = min(answered - parsed, CALL_TIMES[self._live].latest)
            metrics.inferred(model, (now - begun, answered - parsed - call, parsed - begun, call, now - answered))
        elif issubclass(kind, Exception):
            metrics.failed(model, now - self._marks[0])


@router.get("/v2/models/stats", summary="What all models have answered")
async def of_all(request: Request) -> Statistics:
    """Inferences of each model since the server's start, over all workers."""
    found = []
    for name in catalog.names():
        with suppress(Problem):
            found.append(await live_version.take(request, name, None))
    return await _statistics(*found)


@router.get("/v2/models/{model}/stats", summary="What a model has answered")
async def of_model(request: Request, model: str) -> Statistics:
    """Inferences of the model since the server's start, over all workers and all of its versions."""
    return await _statistics(await live_version.take(request, model, None))


@router.get("/v2/models/{model}/versions/{version}/stats", summary="What a version has answered")
async def of_version(request: Request, model: str, version: str) -> Statistics:
    """The same, over all versions of the model; 404 where another version is live."""
    return await _statistics(await live_version.take(request, model, version))


async def _statistics(*found: Predictor) -> Statistics:
    metrics.flush()
    return Statistics(model_stats=await asyncio.to_thread(_counted, found))


def _counted(found: tuple[Predictor, ...]) -> list[ModelStatistics]:
    """The counts of these models, in one pass over those of all workers."""
    counts = {live.card.model: ModelStatistics(name=live.card.model, version=str(live.card.version)) for live in found}
    for family in prometheus.counts().collect():
        for sample in family.samples:
            if counted := counts.get(sample.labels.get("model", "")):
                _add(counted, sample)
    return list(counts.values())


def _add(counted: ModelStatistics, sample: Sample) -> None:
    match sample.name:
        case "fast_ml_rows_total":
            counted.inference_count = int(sample.value)
        case "fast_ml_batch_rows_count":
            counted.execution_count = int(sample.value)
        case "fast_ml_last_inference_timestamp_seconds":
            counted.last_inference = int(1000 * sample.value)
        case "fast_ml_inference_seconds_count":
            getattr(counted.inference_stats, sample.labels["part"]).count = int(sample.value)
        case "fast_ml_inference_seconds_sum":
            getattr(counted.inference_stats, sample.labels["part"]).ns = int(BILLION * sample.value)
