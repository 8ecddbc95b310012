"""Medians and spreads over the rounds, and the ratios between systems that the goals are about."""

from collections.abc import Iterable
from statistics import median
from typing import Any, NamedTuple

from testing.benchmark.systems import PEERS

Rows = list[dict[str, Any]]


class Spread(NamedTuple):
    """Median, minimum and maximum over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """Return the spread of these values, or None if there are none."""
        found = sorted(values)
        return cls(median(found), found[0], found[-1]) if found else None


class Ratio(NamedTuple):
    """fast-ml's figure divided by another system's, round by round. With `at_least` False, less is better."""

    measure: str
    wanted: float
    at_least: bool
    found: Spread | None

    @property
    def reached(self) -> bool:
        """Whether the median reaches the goal."""
        return self.found is not None and (self.found.median >= self.wanted) is self.at_least


def pick(rows: Rows, **wanted: Any) -> Rows:
    """Return the measurements with these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def spread(rows: Rows, field: str, **wanted: Any) -> Spread | None:
    """Return the spread of one figure over the rounds."""
    return Spread.of(row[field] for row in pick(rows, **wanted))


class Promise(NamedTuple):
    """A goal: fast-ml's figure divided by that of the best of `others`, who may get another request shape."""

    measure: str
    wanted: float
    model: str
    shape: str
    connections: int
    field: str
    others: tuple[str, ...]
    their_shape: str = ""

    def kept(self, rows: Rows) -> Ratio:
        """Return the ratio, taken within each round, so that a slow moment of the machine affects both sides."""
        more, found = self.field == "rate", []
        same = pick(rows, model=self.model, connections=self.connections)
        for ours in pick(same, system="fast-ml", shape=self.shape):
            beside = pick(same, round=ours["round"], shape=self.their_shape or self.shape)
            theirs = [row[self.field] for row in beside if row["system"] in self.others]
            if theirs:
                found.append(ours[self.field] / (max if more else min)(theirs))
        return Ratio(self.measure, self.wanted, more, Spread.of(found))


SEED, HAND, PLAIN, MLSERVER = ("seed's design",), ("FastAPI by hand",), ("fast-ml uncompiled",), ("MLServer",)
PROMISES = (
    Promise("CSV of 45 rows, 32 connections: requests/s vs the seed's design", 15, "svc", "csv", 32, "rate", SEED),
    Promise("JSON row, SVC, 32 connections: requests/s vs the best peer", 8, "svc", "row", 32, "rate", PEERS),
    Promise("the same vs FastAPI by hand", 4, "svc", "row", 32, "rate", HAND),
    Promise("the same vs the raw ASGI function", 1 / 3, "svc", "row", 32, "rate", ("raw ASGI",)),
    Promise("p99 of the same vs the lowest p99 of a peer", 1 / 8, "svc", "row", 32, "p99", PEERS),
    Promise("SVC, one connection: p50 vs LitServe", 1 / 6, "svc", "row", 1, "p50", ("LitServe",)),
    Promise("SVC, one connection: p50 vs FastAPI by hand", 2 / 3, "svc", "row", 1, "p50", HAND),
    Promise("Open Inference Protocol, JSON: requests/s vs MLServer", 8, "svc", "oip", 32, "rate", MLSERVER),
    Promise("the same, binary, vs MLServer's JSON", 8, "svc", "oip binary", 32, "rate", MLSERVER, "oip"),
    Promise("forest, 32 connections: requests/s vs the best peer", 10, "forest", "row", 32, "rate", PEERS),
    Promise("the same vs FastAPI by hand", 50, "forest", "row", 32, "rate", HAND),
    Promise("forest, one connection: p50 vs LitServe", 1 / 10, "forest", "row", 1, "p50", ("LitServe",)),
    Promise("default classifier, one connection: p50 vs FastAPI by hand", 1 / 20, "boosting", "row", 1, "p50", HAND),
    Promise("default classifier, 32 connections: vs FastAPI by hand", 10, "boosting", "row", 32, "rate", HAND),
    # Not slower; a difference of 5 % is noise.
    Promise("SVC, 32 connections: requests/s vs not compiled", 0.95, "svc", "row", 32, "rate", PLAIN),
    Promise("SVC, one connection: p50 vs not compiled", 1.05, "svc", "row", 1, "p50", PLAIN),
    Promise("logistic regression, 32 connections: vs not compiled", 0.95, "logistic", "row", 32, "rate", PLAIN),
    Promise("logistic regression, one connection: p50 vs not compiled", 1.05, "logistic", "row", 1, "p50", PLAIN),
)


def ratios(results: dict[str, Any]) -> list[Ratio]:
    """Return the measured ratio for each goal. Peers are the five other model servers."""
    kept = [promise.kept(results.get("measured", [])) for promise in PROMISES]
    beside = _memory(results.get("memory", {})) + _million(results.get("million", {}))
    return kept + beside + _training(results.get("training", {}))


def _memory(found: dict[str, Any]) -> list[Ratio]:
    return [
        Ratio(f"memory of each further worker vs a single one, {when}", 0.35, False, Spread.of([found[when]["share"]]))
        for when in ("at start", "after a swap")
        if found
    ]


def _million(found: dict[str, Any]) -> list[Ratio]:
    name = "{:,} JSON requests with the load test on two cores, {} worker(s), vs the seed's design at its rate"
    return [
        Ratio(name.format(found["requests"], workers), 12, True, Spread.of([found[workers]["ratio"]]))
        for workers in ("1", "2")
        if workers in found
    ]


def _training(found: dict[str, Any]) -> list[Ratio]:
    name = "p99 of a JSON row while a table of 100,000 rows trains vs without, {} connections"
    return [Ratio(name.format(n), 2, False, Spread.of([of["ratio"]])) for n, of in found.items()]
