"""Results of the requests, in memory that does not grow with their number."""

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

LEAST = 1e-6  # seconds; the first bucket
STEP = math.log(1.01)  # each bucket is 1% wide, so a percentile is known to half a percent
BUCKETS = 2300  # up to more than two hours
SLICE = 0.1  # seconds; how finely the throughput over time is known
PERCENTILES = (50, 90, 99, 99.9)


def _empty() -> "array[int]":
    return array("Q", bytes(8 * BUCKETS))


@dataclass
class Tally:
    """Counts of answers by outcome, latency and time of arrival. Tallies of several processes can be added."""

    outcomes: Counter[int | str] = field(default_factory=Counter)  # by status, or the name of the error
    latencies: "array[int]" = field(default_factory=_empty)
    slices: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0  # seconds
    seconds: float = 0.0  # from the start to the last answer
    rows: int = 0  # predicted by each answer
    complaint: str = ""  # what the first failure said
    hopeless: str = ""  # why no further request could succeed

    def add(self, outcome: int | str, took: float, at: float) -> None:
        """Count a finished request. Called for every request, so it must be fast. Times are seconds after the start."""
        self.outcomes[outcome] += 1
        self.latencies[bucket(took)] += 1
        self.slices[int(at / SLICE)] += 1
        self.longest = max(self.longest, took)
        self.seconds = at

    def merge(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        self.outcomes.update(other.outcomes)
        self.slices.update(other.slices)
        for place in other.filled():
            self.latencies[place] += other.latencies[place]
        self.longest = max(self.longest, other.longest)
        self.seconds = max(self.seconds, other.seconds)
        self.rows = self.rows or other.rows
        self.complaint = self.complaint or other.complaint
        self.hopeless = self.hopeless or other.hopeless

    def filled(self) -> Iterator[int]:
        """Return the buckets that are not empty, the fastest first."""
        return (place for place, count in enumerate(self.latencies) if count)

    @property
    def done(self) -> int:
        """Number of finished requests, failed ones included."""
        return self.outcomes.total()

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.done / self.seconds

    @property
    def predicted(self) -> int:
        """Rows in all good answers."""
        return self.outcomes[200] * self.rows

    def percentile(self, percent: float) -> float:
        """Return the latency that this percentage of requests did not exceed, in seconds, by nearest rank."""
        left = math.ceil(self.done * percent / 100)
        for place in self.filled():
            left -= self.latencies[place]
            if left <= 0:
                return min(edge(place + 0.5), self.longest)
        return self.longest

    def percentiles(self) -> dict[str, float]:
        """Return the percentiles by name, in seconds."""
        return {f"p{percent:g}": self.percentile(percent) for percent in PERCENTILES} | {"max": self.longest}


def bucket(seconds: float) -> int:
    """Return the bucket of a latency."""
    return min(int(math.log(max(seconds, LEAST) / LEAST) / STEP), BUCKETS - 1)


def edge(place: float) -> float:
    """Return the seconds at which a bucket begins. Add 0.5 to the place for its middle."""
    return LEAST * math.exp(place * STEP)
