"""What this worker counts. A request only appends to a list; a hundred or so are summed up together.

Counting each request in a file that all workers share would cost a quick prediction a tenth of its time. So the sums
are exported once a period (shared_counts.py).
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from typing import Any

from rest_api.telemetry.shared_counts import QueueState
from rest_api.telemetry.tally import Queue, Tally
from rest_api.telemetry.totals import Totals

MAX_ANSWERS = 128
"""Answers after which all are summed up, which takes 0.1 ms. Those of a whole period would hold up other requests."""

PERIOD = 0.2
"""Seconds between two exports of the counts to the other workers."""

tally = Tally()
_export_due = False


def start(queue: Queue, export: Callable[[Totals, QueueState], None]) -> None:
    """Export the counts and the state of the queue from now on. Called once in each worker."""
    tally.start(queue, export)


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request and the seconds from its headers to its answer."""
    global _export_due
    tally.answers.append((method, route, status, seconds))
    if len(tally.answers) == MAX_ANSWERS:
        tally.sum_up()
    if not _export_due:
        _export_due = True
        asyncio.get_running_loop().call_later(PERIOD, _periodically, context=Context())


def batch(model: str, rows: int, classes: tuple[Any, ...] | None, labels: Iterable[Iterable[Any]]) -> None:
    """Count a call of a model, and its predictions by class."""
    tally.batches.append((model, rows))
    if classes:
        tally.predictions.setdefault((model, classes), []).extend(labels)


def inferred(model: str, seconds: Sequence[float]) -> None:
    """Count an inference that succeeded, with the seconds of each of PARTS."""
    tally.inferences.append((model, seconds))
    tally.totals.latest[model] = time.time()


def failed(model: str, seconds: float) -> None:
    """Count an inference that failed."""
    tally.totals.histogram("inference", model, "fail").observe(seconds)
    tally.totals.latest[model] = time.time()


def refused(reason: str) -> None:
    """Count a request or connection that was turned away."""
    tally.totals.counters["refused", reason] += 1


def trained(model: str, outcome: str) -> None:
    """Count a training that has ended."""
    tally.totals.counters["trainings", model, outcome] += 1


def loaded(model: str, seconds: float, well: bool) -> None:
    """Count an attempt to load a version."""
    tally.totals.counters["loads", model, "loaded" if well else "failed"] += 1
    tally.totals.histogram("load", model).observe(seconds)


def flush() -> None:
    """Export what was counted since the last time."""
    tally.flush()


def _periodically() -> None:
    global _export_due
    _export_due = False
    flush()
    if tally.rows_waiting:  # until the queue is reported as empty
        _export_due = True
        asyncio.get_running_loop().call_later(PERIOD, _periodically, context=Context())
