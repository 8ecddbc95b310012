"""A worker sums up what it counts, and exports it once a period."""

import asyncio
from dataclasses import dataclass

from rest_api.telemetry import counts
from rest_api.telemetry.shared_counts import QueueState
from rest_api.telemetry.totals import Totals


@dataclass
class Waiting:
    """A queue."""

    rows: int = 0
    age: float = 0.0


def export_of(count, queue: Waiting, seconds: float = 2.5 * counts.PERIOD) -> list[tuple[Totals, QueueState]]:
    """Return what was exported in so many seconds after some counting."""
    exports: list[tuple[Totals, QueueState]] = []

    async def run() -> None:
        counts.start(queue, lambda totals, state: exports.append((totals, state)))
        counts.flush()
        exports.clear()
        count()
        await asyncio.sleep(seconds)

    asyncio.run(run())
    return exports


def test_counts_are_exported_once_after_a_period() -> None:
    def count() -> None:
        for place in range(300):  # some of them are summed up at once
            counts.answered("GET", "/models", 200, 0.002 if place else 60)
        counts.batch("m", 3, ("a", "b"), [["a"], ["b", "a"]])
        counts.refused("size")

    [(totals, queue)] = export_of(count, Waiting())
    assert queue == QueueState()
    assert dict(totals.counters) == {
        ("requests", "GET", "/models", "200"): 300,
        ("rows", "m"): 3,
        ("predictions", "m", "a"): 2,
        ("predictions", "m", "b"): 1,
        ("refused", "size"): 1,
    }
    seconds = totals.histograms["latency", "/models"]
    assert sum(seconds.buckets) == 300 and seconds.buckets[1] == 299 and round(seconds.total, 3) == 60.598


def test_exports_go_on_while_rows_wait() -> None:
    exports = export_of(lambda: counts.answered("GET", "/", 200, 0), Waiting(7, 0.5))
    assert len(exports) == 2 and {queue for _, queue in exports} == {QueueState(7, 0.5)}
    assert not exports[1][0].counters
