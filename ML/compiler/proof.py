"""That a compiled model answers like its original, shown on thousands of rows before it is published."""

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
SMALLEST = 1e-6
"""Of a probability: 1 - p knows 16 digits after the point, so that smaller ones are compared as if they were this."""
REFUSED = 16
"""So many rows of a refused table are asked one by one."""


class Different(Exception):
    """The two answer differently, and where."""


@dataclass
class Proof:
    """On so many rows both gave the same labels, or refused them, and numbers that differ by this, relative."""

    rows: int = 0
    difference: float = 0.0


def prove(original: Predictor, compiled: Predictor, probes: Iterable[tuple[str, Table]]) -> Proof:
    """Compares the answers to all tables. Raises Different."""
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
        for row in range(min(rows, REFUSED)):
            _compare(proof, original, compiled, name, [column[row : row + 1] for column in table])
        return
    if (want is None) != (have is None):
        raise Different(f"Of {name}, the compiled form {'answers' if have else 'refuses'} what the original does not")
    if want and have:
        proof.difference = max(proof.difference, _difference(original, want, have, name))
    proof.rows += rows


def _answer(predictor: Predictor, table: Table) -> Answer | None:
    """None where it refuses these rows."""
    try:
        return predictor.predict(predictor.table(table), predictor.card.probabilities)
    except CannotPredict:
        return None


def _difference(original: Predictor, want: Answer, have: Answer, name: str) -> float:
    """The largest, relative. Raises Different."""
    if original.target.task == "regression":
        values, smallest = [want.predictions, have.predictions], float(np.median(np.abs(want.predictions)))
    else:
        different = sum(a != b for a, b in zip(want.predictions, have.predictions, strict=True))
        if different:
            raise Different(f"Compiled, {different} of {len(want.predictions)} {name} get another label")
        values, smallest = [want.probabilities or [], have.probabilities or []], SMALLEST
    apart = _apart(np.asarray(values[0], dtype=float), np.asarray(values[1], dtype=float), smallest)
    if not apart <= TOLERANCE:
        raise Different(f"Compiled, {name} get answers that differ by {apart:.1e}; up to {TOLERANCE} is allowed")
    return apart


def _apart(want: NDArray[Any], have: NDArray[Any], smallest: float) -> float:
    """What is not finite is null in an answer, and the same as such."""
    told = np.isfinite(want)
    if want.shape != have.shape or (told != np.isfinite(have)).any():
        return np.inf
    size = np.maximum(np.abs(want[told]), smallest if np.isfinite(smallest) else 0.0)
    apart = np.abs(want[told] - have[told])
    # 0 differs from 0 by nothing.
    return float(np.max(np.divide(apart, size, out=apart, where=apart > 0), initial=0.0))
