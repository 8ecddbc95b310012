"""`/metrics`: the counts of all workers in Prometheus' text format; its client keeps them in files."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, values
from prometheus_client import Histogram as OneByOne
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from ML.errors import Problem
from ML.versions import catalog, store
from rest_api.telemetry import counts as metrics
from rest_api.telemetry.counts import PART_SECONDS, ROWS, SECONDS, Tally

router = APIRouter(tags=["health"])

place: Callable[[], int] = os.getpid


class Histogram(OneByOne):
    """One that takes many observations at once."""

    def add(self, buckets: Iterable[int], total: float) -> None:
        """Adds counts for each bucket, and the sum."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, buckets, strict=True):
            if count:
                bucket.inc(count)


class Families:
    """The metrics by the names that the tally has for them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"fast_ml_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"fast_ml_{name}", says, labels, registry=registry, buckets=bounds)

        self.counters = {
            "requests": counter("requests", "Requests", "method", "route", "status"),
            "rows": counter("rows", "Rows predicted", "model"),
            "predictions": counter("predictions", "Predictions of a classifier", "model", "label"),
            "refused": counter("refused", "Requests that were turned away", "reason"),
            "trainings": counter("trainings", "Trainings that have ended", "model", "outcome"),
            "loads": counter("loads", "Loads of a version by a worker", "model", "outcome"),
        }
        self.histograms = {
            "latency": histogram("request_duration_seconds", "From head to answer", SECONDS, "route"),
            "batch": histogram("batch_rows", "Rows in a call of the model", ROWS, "model"),
            "load": histogram("load_seconds", "Loading a version", SECONDS, "model"),
            "inference": histogram("inference_seconds", "An inference and its parts", PART_SECONDS, "model", "part"),
        }
        self.latest = Gauge(
            "fast_ml_last_inference_timestamp_seconds",
            "When a model was last asked for an inference",
            ["model"],
            registry=registry,
            multiprocess_mode="max",
        )
        self.depth = Gauge("fast_ml_queue_rows", "Rows that wait", registry=registry, multiprocess_mode="livesum")
        self.age = Gauge(
            "fast_ml_queue_age_seconds", "Longest wait so far", registry=registry, multiprocess_mode="livemax"
        )


@cache
def families() -> Families:
    """Made after the fork: each worker has its own."""
    if _shared():
        # A new worker takes the place of one that ended, and its files: they neither pile up nor lose a count.
        values.ValueClass = values.MultiProcessValue(lambda: place())  # type: ignore[no-untyped-call]
    return Families()


def export(tally: Tally) -> None:
    """Moves the worker's counts to where all workers' are."""
    to = families()
    counts, tally.counts = tally.counts, type(tally.counts)()
    for (name, *labels), count in counts.items():
        to.counters[name].labels(*labels).inc(count)
    sums, tally.sums = tally.sums, {}
    for (name, *labels), found in sums.items():
        to.histograms[name].labels(*labels).add(found.buckets, found.total)
    for model, when in tally.latest.items():
        to.latest.labels(model).set(when)
    if tally.queue:
        to.depth.set(tally.queue.rows)
        to.age.set(tally.queue.age)


class Models:
    """The live version of each model, as the store has it: the same whichever worker is asked."""

    def collect(self) -> Iterator[Metric]:
        """Prometheus' collector."""
        version = GaugeMetricFamily("fast_ml_model_version", "The live version", labels=["model"])
        trained = GaugeMetricFamily("fast_ml_model_trained_timestamp_seconds", "When it was trained", labels=["model"])
        for name in catalog.names():
            with suppress(Problem):
                card = store.live(name)
                version.add_metric([name], card.version)
                trained.add_metric([name], card.created.timestamp())
        yield from (version, trained)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}, summary="Prometheus")
async def show() -> Response:
    """Counts of all workers since the start, in Prometheus' text format."""
    metrics.flush()
    return Response(await asyncio.to_thread(_text), media_type=CONTENT_TYPE)


def counts() -> CollectorRegistry:
    """Return the counts of all workers since the start."""
    if not _shared():  # one process, under `uvicorn wsgi:app`
        return families().registry
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _text() -> bytes:
    models = CollectorRegistry()
    models.register(Models())
    return generate_latest(counts()) + generate_latest(models)


def _shared() -> bool:
    """Whether the counts are in files: PROMETHEUS_MULTIPROC_DIR was set when the client was imported."""
    return hasattr(values.ValueClass, "close_all_files")
