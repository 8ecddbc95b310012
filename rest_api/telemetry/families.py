"""The metrics as Prometheus sees them: their names, their labels, and the collectors that give their values."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from ML.errors import Problem
from ML.versions import catalog, store
from rest_api.telemetry.shared_counts import QueueState
from rest_api.telemetry.totals import Histogram, Totals

COUNTERS = {
    "requests": ("requests", "Requests", ("method", "route", "status")),
    "rows": ("rows", "Rows predicted", ("model",)),
    "predictions": ("predictions", "Predictions of a classifier", ("model", "label")),
    "refused": ("refused", "Requests that were turned away", ("reason",)),
    "trainings": ("trainings", "Trainings that have ended", ("model", "outcome")),
    "loads": ("loads", "Loads of a version by a worker", ("model", "outcome")),
}
HISTOGRAMS = {
    "latency": ("request_duration_seconds", "From head to answer", ("route",)),
    "batch": ("batch_rows", "Rows in a call of the model", ("model",)),
    "load": ("load_seconds", "Loading a version", ("model",)),
    "inference": ("inference_seconds", "An inference and its parts", ("model", "part")),
}
"""By the names that `counts` uses: the name after `fast_ml_`, the help text and the labels of each metric."""


class CountsCollector:
    """A Prometheus collector of what the workers have counted."""

    def __init__(self, read: Callable[[], tuple[Totals, QueueState]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics that have a value."""
        totals, queue = self._read()
        yield from filter(_has_samples, (*_counters(totals), *_histograms(totals), _latest(totals)))
        yield GaugeMetricFamily("fast_ml_queue_rows", "Rows that wait", queue.rows)
        yield GaugeMetricFamily("fast_ml_queue_age_seconds", "Longest wait so far", queue.oldest_seconds)


class ModelsCollector:
    """A Prometheus collector of the models' live versions, read from the store."""

    def collect(self) -> Iterator[Metric]:
        """Yield the number of each model's live version, and when it was trained."""
        version = GaugeMetricFamily("fast_ml_model_version", "The live version", labels=["model"])
        trained = GaugeMetricFamily("fast_ml_model_trained_timestamp_seconds", "When it was trained", labels=["model"])
        for name in catalog.names():
            with suppress(Problem):
                card = store.live(name)
                version.add_metric([name], card.version)
                trained.add_metric([name], card.created.timestamp())
        yield from (version, trained)


def _counters(totals: Totals) -> Iterator[Metric]:
    for key, (name, text, labels) in COUNTERS.items():
        family = CounterMetricFamily(f"fast_ml_{name}", text, labels=labels)
        for (other, *values), count in totals.counters.items():
            if other == key:
                family.add_metric(values, count)
        yield family


def _histograms(totals: Totals) -> Iterator[Metric]:
    for key, (name, text, labels) in HISTOGRAMS.items():
        family = HistogramMetricFamily(f"fast_ml_{name}", text, labels=labels)
        for (other, *values), histogram in totals.histograms.items():
            if other == key:
                family.add_metric(values, _cumulative(histogram), histogram.total)
        yield family


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    """Return the number of observations up to each bound, as Prometheus wants them."""
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.buckets), strict=True))


def _latest(totals: Totals) -> Metric:
    text = "When a model was last asked for an inference"
    family = GaugeMetricFamily("fast_ml_last_inference_timestamp_seconds", text, labels=["model"])
    for model, seconds in totals.latest.items():
        family.add_metric([model], seconds)
    return family


def _has_samples(family: Metric) -> bool:
    return bool(family.samples)
