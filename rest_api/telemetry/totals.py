"""Counters and histograms, by the metric's name and the values of its labels."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json, to_json

Key = tuple[str, ...]
"""The metric's name, then the values of its labels."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
PART_SECONDS = (0.0001, 0.001, 0.01, 0.1, 1, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 10_000, 100_000)

BOUNDS = {"latency": SECONDS, "batch": ROWS, "load": SECONDS, "inference": PART_SECONDS}
"""Upper bounds of each histogram's buckets; the last bucket has none."""


class Histogram:
    """How many observations fell into each bucket, and their sum."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.total = bounds, 0.0
        self.buckets = [0] * (len(bounds) + 1)

    def observe(self, value: float, times: int = 1) -> None:
        """Add a value, as often as it was observed."""
        self.buckets[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def extend(self, values: list[float]) -> None:
        """Add values."""
        bounds, buckets = self.bounds, self.buckets
        for value in values:
            buckets[bisect_left(bounds, value)] += 1
        self.total += sum(values)

    def merge(self, buckets: Iterable[int], total: float) -> None:
        """Add the observations of another histogram with the same bounds."""
        self.buckets = [sum(pair) for pair in zip(self.buckets, buckets, strict=True)]
        self.total += total


class Totals:
    """The counters and histograms of a worker, or of all workers together."""

    def __init__(self) -> None:
        self.counters: Counter[Key] = Counter()
        self.histograms: dict[Key, Histogram] = {}
        self.latest: dict[str, float] = {}
        """When each model last received an inference request, in seconds since 1970."""

    def histogram(self, *key: str) -> Histogram:
        """Return the histogram of this name and these labels."""
        if key not in self.histograms:
            self.histograms[key] = Histogram(BOUNDS[key[0]])
        return self.histograms[key]

    def merge(self, other: "Totals") -> None:
        """Add the other's counts."""
        self.counters.update(other.counters)
        for key, each in other.histograms.items():
            self.histogram(*key).merge(each.buckets, each.total)
        for model, seconds in other.latest.items():
            self.latest[model] = max(seconds, self.latest.get(model, 0.0))

    def to_json(self) -> bytes:
        """Return the counts as `from_json` reads them."""
        histograms: list[Any] = [(key, each.buckets, each.total) for key, each in self.histograms.items()]
        return to_json((list(self.counters.items()), histograms, self.latest))

    @classmethod
    def from_json(cls, document: bytes) -> "Totals":
        """Return the counts in a document."""
        counters, histograms, latest = from_json(document)
        totals = cls()
        totals.counters.update({tuple(key): count for key, count in counters})
        for key, buckets, total in histograms:
            totals.histogram(*key).merge(buckets, total)
        totals.latest = latest
        return totals
