"""The counts of this worker since its last export."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

from rest_api.telemetry.shared_counts import QueueState
from rest_api.telemetry.totals import Totals

MAX_CLASSES = 50
"""Classes of a model that are counted one by one. The rest count as `other`: each class is a series in Prometheus."""

PARTS = ("success", "queue", "compute_input", "compute_infer", "compute_output")
"""A successful request of the Open Inference Protocol and its parts, as Triton names them."""


class Queue(Protocol):
    """The prediction requests that wait."""

    rows: int

    @property
    def age(self) -> float:
        """Seconds that the oldest one has been waiting."""


class Tally:
    """Lists that requests append to, and the totals of what was summed up already."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.answers: list[tuple[str, str, int, float]] = []
        self.batches: list[tuple[str, int]] = []
        self.predictions: dict[tuple[str, tuple[Any, ...]], list[Iterable[Any]]] = {}
        self.inferences: list[tuple[str, Sequence[float]]] = []
        self._queue: Queue | None = None
        self._export: Callable[[Totals, QueueState], None] | None = None

    def start(self, queue: Queue, export: Callable[[Totals, QueueState], None]) -> None:
        """Export the counts and the state of this queue whenever `flush` is called."""
        self._queue, self._export = queue, export

    def flush(self) -> None:
        """Export the counts since the last time."""
        if self._queue and self._export:
            self.sum_up()
            totals, self.totals = self.totals, Totals()
            self._export(totals, QueueState(self._queue.rows, self._queue.age))

    @property
    def rows_waiting(self) -> int:
        """Rows that wait in the queue."""
        return self._queue.rows if self._queue else 0

    def sum_up(self) -> None:
        """Add up the lists."""
        self._sum_up_answers()
        self._sum_up_batches()
        self._sum_up_predictions()
        self._sum_up_inferences()

    def _sum_up_answers(self) -> None:
        answers, self.answers = self.answers, []
        for (method, route, status), times in Counter([answer[:3] for answer in answers]).items():
            self.totals.counters["requests", method, route, str(status)] += times
        for route in {answer[1] for answer in answers}:
            seconds = [each for _, other, _, each in answers if other == route]
            self.totals.histogram("latency", route).extend(seconds)

    def _sum_up_batches(self) -> None:
        batches, self.batches = self.batches, []
        for (model, rows), times in Counter(batches).items():
            self.totals.counters["rows", model] += rows * times
            self.totals.histogram("batch", model).observe(rows, times)

    def _sum_up_predictions(self) -> None:
        predictions, self.predictions = self.predictions, {}
        for (model, classes), labels in predictions.items():
            for label, times in Counter(chain.from_iterable(labels)).items():
                known = label in classes[:MAX_CLASSES]
                self.totals.counters["predictions", model, str(label) if known else "other"] += times

    def _sum_up_inferences(self) -> None:
        inferences, self.inferences = self.inferences, []
        for model in {model for model, _ in inferences}:
            by_part = zip(*[seconds for other, seconds in inferences if other == model], strict=True)
            for part, values in zip(PARTS, by_part, strict=True):
                self.totals.histogram("inference", model, part).extend(list(values))
