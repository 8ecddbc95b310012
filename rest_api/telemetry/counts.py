"""What this worker counts: a request adds a tuple to a list, and every hundred or so that is summed up.

To count in a file that all workers share, as exposition.py does, would cost a quick prediction a tenth of its time.
"""

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from itertools import chain
from typing import Any, Protocol

AT_ONCE = 128
"""Requests that are summed up at once, in 0.1 ms: those of a period would hold up the ones that come meanwhile."""

PERIOD = 0.2
"""Seconds until what was counted is where the other workers see it."""

MOST_CLASSES = 50
"""Classes of a model that are counted each; the rest are `other`, so that no model makes a flood of series."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
PART_SECONDS = (0.0001, 0.001, 0.01, 0.1, 1, 10)
PARTS = ("success", "queue", "compute_input", "compute_infer", "compute_output")
"""A request by the Open Inference Protocol that succeeds, and its parts, as Triton names them."""
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 10_000, 100_000)


class Sums:
    """The observations of a histogram: how many fell in each bucket, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.total = bounds, 0.0
        self.buckets = [0] * (len(bounds) + 1)

    def add(self, value: float, times: int = 1) -> None:
        """Counts an observation, so many times."""
        self.buckets[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def extend(self, values: list[float]) -> None:
        """Counts observations."""
        bounds, buckets = self.bounds, self.buckets
        for value in values:
            buckets[bisect_left(bounds, value)] += 1
        self.total += sum(values)


class Queue(Protocol):
    """What waits for the models."""

    rows: int

    @property
    def age(self) -> float:
        """Seconds that the first has waited."""


class Tally:
    """Counts since the last `taken`. `counts` by the metric's name and labels, `sums` likewise."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.sums: dict[tuple[str, ...], Sums] = {}
        self.answers: list[tuple[str, str, int, float]] = []
        self.batches: list[tuple[str, int]] = []
        self.predictions: dict[tuple[str, tuple[Any, ...]], list[Iterable[Any]]] = {}
        self.inferences: list[tuple[str, Sequence[float]]] = []
        self.latest: dict[str, float] = {}
        """When each model was last asked for an inference, in seconds since 1970."""
        self.queue: Queue | None = None
        self.due = False
        self.sink: Callable[[Tally], None] | None = None

    def of(self, bounds: tuple[float, ...], *key: str) -> Sums:
        """The histogram of this name and these labels."""
        if key not in self.sums:
            self.sums[key] = Sums(bounds)
        return self.sums[key]

    def sum_up(self) -> None:
        """Turns the lists into counts."""
        answers, self.answers = self.answers, []
        for (method, route, status), times in Counter([answer[:3] for answer in answers]).items():
            self.counts["requests", method, route, str(status)] += times
        for route in {answer[1] for answer in answers}:
            self.of(SECONDS, "latency", route).extend([seconds for _, other, _, seconds in answers if other == route])
        batches, self.batches = self.batches, []
        for (model, rows), times in Counter(batches).items():
            self.counts["rows", model] += rows * times
            self.of(ROWS, "batch", model).add(rows, times)
        predictions, self.predictions = self.predictions, {}
        for (model, classes), found in predictions.items():
            for label, times in Counter(chain.from_iterable(found)).items():
                known = label in classes[:MOST_CLASSES]
                self.counts["predictions", model, str(label) if known else "other"] += times
        inferences, self.inferences = self.inferences, []
        for model in {model for model, _ in inferences}:
            found_seconds = zip(*[seconds for other, seconds in inferences if other == model], strict=True)
            for part, values in zip(PARTS, found_seconds, strict=True):
                self.of(PART_SECONDS, "inference", model, part).extend(list(values))


tally = Tally()


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Counts a request. Once a period all is handed on."""
    tally.answers.append((method, route, status, seconds))
    if len(tally.answers) == AT_ONCE:
        tally.sum_up()
    if not tally.due:
        tally.due = True
        asyncio.get_running_loop().call_later(PERIOD, _periodically, context=Context())


def batch(model: str, rows: int, classes: tuple[Any, ...] | None, found: Iterable[Iterable[Any]]) -> None:
    """Counts a call of a model, and its predictions by class."""
    tally.batches.append((model, rows))
    if classes:
        tally.predictions.setdefault((model, classes), []).extend(found)


def inferred(model: str, seconds: Sequence[float]) -> None:
    """Count an inference that succeeded, with the seconds of each of PARTS."""
    tally.inferences.append((model, seconds))
    tally.latest[model] = time.time()


def failed(model: str, seconds: float) -> None:
    """Count an inference that failed."""
    tally.of(PART_SECONDS, "inference", model, "fail").add(seconds)
    tally.latest[model] = time.time()


def refused(reason: str) -> None:
    """Counts what was turned away."""
    tally.counts["refused", reason] += 1


def trained(model: str, outcome: str) -> None:
    """Counts a training that has ended."""
    tally.counts["trainings", model, outcome] += 1


def loaded(model: str, seconds: float, well: bool) -> None:
    """Counts the load of a version."""
    tally.counts["loads", model, "loaded" if well else "failed"] += 1
    tally.of(SECONDS, "load", model).add(seconds)


def flush() -> None:
    """Hands on what was counted since the last time."""
    if tally.sink:
        tally.sum_up()
        tally.sink(tally)


def _periodically() -> None:
    flush()
    tally.due = bool(tally.queue and tally.queue.rows)
    if tally.due:  # so that the depth goes down again
        asyncio.get_running_loop().call_later(PERIOD, _periodically, context=Context())
