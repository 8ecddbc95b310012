"""The answer of a model to rows, and whether two answers are alike."""

import math
from typing import Any, NamedTuple

from ML.errors import Problem

TOLERANCE = 1e-9
"""Largest difference between numbers that count as alike, relative to their size."""


class CannotPredict(Problem):
    """The model refused rows that match its schema, such as a category that it did not see in training."""

    status = 422


class Answer(NamedTuple):
    """Predictions in the target's own type and, if requested, probabilities: a list for each row."""

    predictions: list[Any]
    probabilities: list[list[float]] | None = None


def same(a: Any, b: Any) -> bool:
    """Return whether two answers are alike: labels equal, numbers within 1e-9 of each other, relative to their size."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    # A card is JSON, which has null in place of NaN.
    a, b = math.nan if a is None else a, math.nan if b is None else b
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (a != a and b != b)
    return bool(a == b)
