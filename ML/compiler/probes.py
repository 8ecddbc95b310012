"""The rows on which a compiled model is compared with its original: rows of the training and synthetic ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ML.schema.schema import Schema

Table = list[list[Any]]
"""Converted values, a list for each column."""

UNKNOWN = ("a word never seen", " ", "0", "nan", "\u00fcn\u0131\u2028\U0001f642", "None", "a\0b")
EXTREMES = (0.0, -0.0, 5e-324, -1.0, 1e9, 1e30, -1e30, 3.4028235677973366e38, 1e39, -1e39, 1e300, -1e300)
"""Among them the first that is too large for a float32."""
GAP_SHARE = 0.25
"""Share of further missing values in rows that already have one."""


def probes(schema: Schema, X: pd.DataFrame, thresholds: dict[int, Any], most: int) -> Iterator[tuple[str, Table]]:
    """Yield tables with their names: the rows of the training, and synthetic ones of at most `most` rows."""
    rng = np.random.default_rng(0)
    training = [X.iloc[:, place].to_numpy() for place in range(len(schema.columns))]
    yield "rows of the training", _lists(training)
    few = max(1, most // 4)
    yield "synthetic rows inside the learned range", _lists(_drawn(rng, training, few, 0.0))
    yield "synthetic rows outside the learned range", _lists(_drawn(rng, training, few, 1.0))
    gaps = [place for place, column in enumerate(schema.columns) if column.gaps]
    if gaps:
        yield "rows with missing values", _lists(_with_gaps(rng, _sample(rng, training, few), gaps))
    texts = [place for place, column in enumerate(schema.columns) if column.kind == "text"]
    if texts:
        yield "rows with unknown words", _lists(_with_words(rng, training, texts, min(few, 500)))
    near = {place: _neighbours(rng, np.concatenate(splits), most) for place, splits in thresholds.items()}
    if any(map(len, near.values())):
        yield "rows at the splits of its trees", _lists(_at(rng, training, near, most))
    numbers = [place for place, column in enumerate(schema.columns) if column.kind != "text"]
    if numbers:
        extremes = {place: np.array(EXTREMES) for place in numbers}
        yield "rows with a huge or tiny number", _lists(_at(rng, training, extremes, 60))


def _sample(rng: Any, training: list[NDArray[Any]], rows: int) -> list[NDArray[Any]]:
    """Return random rows of the training."""
    places = rng.integers(0, len(training[0]), rows)
    return [values[places].copy() for values in training]


def _drawn(rng: Any, training: list[NDArray[Any]], rows: int, beyond: float) -> list[NDArray[Any]]:
    """Return random rows: numbers within each column's range, widened by `beyond` times the range, or known texts."""
    columns: list[NDArray[Any]] = []
    for values, whole in zip(_sample(rng, training, rows), training, strict=True):
        if whole.dtype == object:
            drawn = rng.permutation(values)
        else:
            present = whole[~np.isnan(whole)]
            low, high = (present.min(), present.max()) if len(present) else (0.0, 1.0)
            wide = beyond * min(max(high - low, 1.0), 1e30)
            # Halves, because the difference of two large floats may be too large for a float.
            drawn = 2 * rng.uniform(low / 2 - wide / 2, high / 2 + wide / 2, rows)
            drawn[np.isnan(values)] = np.nan
        columns.append(drawn)
    return columns


def _with_gaps(rng: Any, table: list[NDArray[Any]], gaps: list[int]) -> list[NDArray[Any]]:
    """Return the table with each of these columns missing in turn, and some more missing values."""
    rows = len(table[0])
    for turn, place in enumerate(gaps):
        missing = (np.arange(rows) % len(gaps) == turn) | (rng.random(rows) < GAP_SHARE / len(gaps))
        table[place][missing] = np.nan
    return table


def _with_words(rng: Any, training: list[NDArray[Any]], texts: list[int], rows: int) -> list[NDArray[Any]]:
    """Return rows with unknown words, and with known ones in capitals or followed by a blank."""
    table = _sample(rng, training, rows)
    for turn, place in enumerate(texts):
        words = [word for word in table[place][:20] if isinstance(word, str)]
        new = [*UNKNOWN, *(word.upper() for word in words), *(f"{word} " for word in words)]
        for row in range(turn, rows, len(texts)):
            table[place][row] = new[rng.integers(len(new))]
    return table


def _neighbours(rng: Any, thresholds: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return the thresholds and the float64 and float32 numbers next to them."""
    splits = np.unique(thresholds)
    if len(splits) > most // 7:
        splits = rng.choice(splits, max(1, most // 7), replace=False)
    with np.errstate(over="ignore"):
        single = splits.astype(np.float32)
        below, above = np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(np.inf))
    beside = [np.nextafter(splits, -np.inf), np.nextafter(splits, np.inf)]
    # A cast to float32 rounds up from the middle between two of its numbers.
    between = [(single + below.astype(float)) / 2, (single + above.astype(float)) / 2]
    neighbours: NDArray[np.float64] = np.concatenate([splits, *beside, single, below, above, *between]).astype(float)
    return neighbours[np.isfinite(neighbours)]


def _at(
    rng: Any, training: list[NDArray[Any]], values: dict[int, NDArray[np.float64]], most: int
) -> list[NDArray[Any]]:
    """Return rows of the training, in each of which one column gets one of its values."""
    moves = [(place, value) for place, numbers in values.items() for value in numbers.tolist()]
    chosen = rng.permutation(len(moves))[:most]
    table = _sample(rng, training, len(chosen))
    for row, move in enumerate(chosen):
        place, value = moves[move]
        table[place][row] = value
    return table


def _lists(table: list[NDArray[Any]]) -> Table:
    return [values.tolist() for values in table]
