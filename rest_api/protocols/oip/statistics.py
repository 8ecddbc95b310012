"""Triton's statistics of a model: number and duration of its inferences, over all workers.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
"""

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client.samples import Sample
from pydantic import BaseModel, Field

from ML.errors import Problem
from ML.prediction.predictor import Predictor
from ML.versions import catalog
from rest_api.protocols.oip import live_version
from rest_api.telemetry import counts as metrics
from rest_api.telemetry import prometheus

router = APIRouter(tags=["Open Inference Protocol v2"])

NS_PER_SECOND = 1_000_000_000


class Duration(BaseModel):
    """A count, and the total time in nanoseconds."""

    count: int = 0
    ns: int = 0


class InferenceStatistics(BaseModel):
    """Requests to `infer` that succeeded or failed, and the parts of those that succeeded."""

    success: Duration = Duration()
    fail: Duration = Duration()
    queue: Duration = Field(Duration(), description="Wait for the call of the model")
    compute_input: Duration = Field(Duration(), description="Parsing and checking the body")
    compute_infer: Duration = Field(Duration(), description="The call of the model, for all requests that share it")
    compute_output: Duration = Field(Duration(), description="Rendering the response")


class ModelStatistics(BaseModel):
    """Counts of all workers since the server started, over all versions of the model."""

    name: str
    version: str = Field(description="The live version")
    last_inference: int = Field(0, description="Time of the last `infer`, in milliseconds since 1970; 0 if none")
    inference_count: int = Field(0, description="Rows predicted, on any route")
    execution_count: int = Field(0, description="Calls of the model; several requests can share one")
    inference_stats: InferenceStatistics = InferenceStatistics()
    batch_stats: list[dict[str, Any]] = Field([], description="Always empty")


class Statistics(BaseModel):
    """Statistics of models."""

    model_stats: list[ModelStatistics]


@router.get("/v2/models/stats", summary="Statistics of all models")
async def of_all(request: Request) -> Statistics:
    """Inferences of each model since the server started, over all workers."""
    live = []
    for name in catalog.names():
        with suppress(Problem):
            live.append(await live_version.take(request, name, None))
    return await _statistics(*live)


@router.get("/v2/models/{model}/stats", summary="Statistics of a model")
async def of_model(request: Request, model: str) -> Statistics:
    """Inferences of the model since the server started, over all workers and all of its versions."""
    return await _statistics(await live_version.take(request, model, None))


@router.get("/v2/models/{model}/versions/{version}/stats", summary="Statistics of a version")
async def of_version(request: Request, model: str, version: str) -> Statistics:
    """The same, over all versions of the model; 404 if another version is live."""
    return await _statistics(await live_version.take(request, model, version))


async def _statistics(*predictors: Predictor) -> Statistics:
    metrics.flush()
    return Statistics(model_stats=await asyncio.to_thread(_read_counts, predictors))


def _read_counts(predictors: tuple[Predictor, ...]) -> list[ModelStatistics]:
    """Return the statistics of these models, in one pass over the counts of all workers."""
    cards = [live.card for live in predictors]
    counts = {card.model: ModelStatistics(name=card.model, version=str(card.version)) for card in cards}
    for family in prometheus.counts().collect():
        for sample in family.samples:
            if statistics := counts.get(sample.labels.get("model", "")):
                _add(statistics, sample)
    return list(counts.values())


def _add(statistics: ModelStatistics, sample: Sample) -> None:
    match sample.name:
        case "fast_ml_rows_total":
            statistics.inference_count = int(sample.value)
        case "fast_ml_batch_rows_count":
            statistics.execution_count = int(sample.value)
        case "fast_ml_last_inference_timestamp_seconds":
            statistics.last_inference = int(1000 * sample.value)
        case "fast_ml_inference_seconds_count":
            getattr(statistics.inference_stats, sample.labels["part"]).count = int(sample.value)
        case "fast_ml_inference_seconds_sum":
            getattr(statistics.inference_stats, sample.labels["part"]).ns = int(NS_PER_SECOND * sample.value)
