"""Prove on thousands of rows that a compiled model predicts like its original, before it is published."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ML.compiler.probes import Table
from ML.prediction.answers import Answer, CannotPredict
from ML.prediction.predictor import Predictor

TOLERANCE = 1e-9
"""Largest relative difference between two numbers."""
SMALLEST = 1e-6
"""Probabilities below this are compared as if they were this size: 1 - p has 16 digits after the point."""
SINGLE_ROWS = 16
"""How many rows of a refused table are compared one by one."""


class Different(Exception):
    """The two models predict differently. The message says where."""


@dataclass
class Proof:
    """The number of rows compared, and the largest relative difference between numbers."""

    rows: int = 0
    difference: float = 0.0


def prove(original: Predictor, compiled: Predictor, probes: Iterable[tuple[str, Table]]) -> Proof:
    """Compare the answers to all tables. Raise Different."""
    proof = Proof()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # huge numbers overflow, in the original too
        for name, table in probes:
            _compare(proof, original, compiled, name, table)
    return proof


def _compare(proof: Proof, original: Predictor, compiled: Predictor, name: str, table: Table) -> None:
    rows = len(table[0])
    want, have = _answer(original, table), _answer(compiled, table)
    if want is None and rows > 1:
        for row in range(min(rows, SINGLE_ROWS)):
            _compare(proof, original, compiled, name, [column[row : row + 1] for column in table])
        return
    if (want is None) != (have is None):
        raise Different(f"The compiled form {'predicts' if have else 'refuses'} some {name} that the original does not")
    if want and have:
        proof.difference = max(proof.difference, _difference(original, want, have, name))
    proof.rows += rows


def _answer(predictor: Predictor, table: Table) -> Answer | None:
    """Return the answer, None if the model refuses these rows."""
    try:
        return predictor.predict(predictor.table(table), predictor.card.probabilities)
    except CannotPredict:
        return None


def _difference(original: Predictor, want: Answer, have: Answer, name: str) -> float:
    """Return the largest relative difference of two answers. Raise Different."""
    if original.target.task == "regression":
        values, smallest = [want.predictions, have.predictions], float(np.median(np.abs(want.predictions)))
    else:
        different = sum(a != b for a, b in zip(want.predictions, have.predictions, strict=True))
        if different:
            raise Different(f"Compiled, {different} of {len(want.predictions)} {name} get another label")
        values, smallest = [want.probabilities or [], have.probabilities or []], SMALLEST
    apart = _apart(np.asarray(values[0], dtype=float), np.asarray(values[1], dtype=float), smallest)
    if not apart <= TOLERANCE:
        raise Different(f"Compiled predictions for {name} differ by {apart:.1e} (tolerance {TOLERANCE})")
    return apart


def _apart(want: NDArray[Any], have: NDArray[Any], smallest: float) -> float:
    """Return the largest relative difference. Numbers that are not finite count as equal: JSON has null for all."""
    finite = np.isfinite(want)
    if want.shape != have.shape or (finite != np.isfinite(have)).any():
        return np.inf
    size = np.maximum(np.abs(want[finite]), smallest if np.isfinite(smallest) else 0.0)
    apart = np.abs(want[finite] - have[finite])
    # Two zeros do not differ; 0 / 0 would be NaN.
    return float(np.max(np.divide(apart, size, out=apart, where=apart > 0), initial=0.0))
