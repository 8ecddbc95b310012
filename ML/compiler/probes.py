"""Rows on which a compiled model is compared with its original: those of the training, and made-up ones around them."""

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
"""Also the first that float32 has no number for."""
SHARE = 0.25


def probes(schema: Schema, X: pd.DataFrame, thresholds: dict[int, Any], most: int) -> Iterator[tuple[str, Table]]:
    """The rows of the training, and tables of up to so many rows that are made up around them, with what they are."""
    rng = np.random.default_rng(0)
    known = [X.iloc[:, place].to_numpy() for place in range(len(schema.columns))]
    yield "rows of the training", _lists(known)
    few = max(1, most // 4)
    yield "made-up rows inside of what was learned", _lists(_drawn(rng, known, few, 0.0))
    yield "made-up rows outside of what was learned", _lists(_drawn(rng, known, few, 1.0))
    gaps = [place for place, column in enumerate(schema.columns) if column.gaps]
    if gaps:
        yield "rows with gaps", _lists(_with_gaps(rng, _some(rng, known, few), gaps))
    texts = [place for place, column in enumerate(schema.columns) if column.kind == "text"]
    if texts:
        yield "rows with unknown words", _lists(_with_words(rng, known, texts, min(few, 500)))
    near = {place: _neighbours(rng, np.concatenate(found), most) for place, found in thresholds.items()}
    if any(map(len, near.values())):
        yield "rows at the splits of its trees", _lists(_at(rng, known, near, most))
    numbers = [place for place, column in enumerate(schema.columns) if column.kind != "text"]
    if numbers:
        extremes = {place: np.array(EXTREMES) for place in numbers}
        yield "rows with a huge or tiny number", _lists(_at(rng, known, extremes, 60))


def _some(rng: Any, known: list[NDArray[Any]], rows: int) -> list[NDArray[Any]]:
    """Rows of the training, drawn."""
    places = rng.integers(0, len(known[0]), rows)
    return [values[places].copy() for values in known]


def _drawn(rng: Any, known: list[NDArray[Any]], rows: int, beyond: float) -> list[NDArray[Any]]:
    """Each column for itself: anything between its ends, or so many times its range beyond; a word that it has."""
    found: list[NDArray[Any]] = []
    for values, whole in zip(_some(rng, known, rows), known, strict=True):
        if whole.dtype == object:
            drawn = rng.permutation(values)
        else:
            present = whole[~np.isnan(whole)]
            low, high = (present.min(), present.max()) if len(present) else (0.0, 1.0)
            wide = beyond * min(max(high - low, 1.0), 1e30)
            # Halves, because the difference of two floats may be more than a float holds.
            drawn = 2 * rng.uniform(low / 2 - wide / 2, high / 2 + wide / 2, rows)
            drawn[np.isnan(values)] = np.nan
        found.append(drawn)
    return found


def _with_gaps(rng: Any, table: list[NDArray[Any]], gaps: list[int]) -> list[NDArray[Any]]:
    """Each column missing in turn, and some more."""
    rows = len(table[0])
    for turn, place in enumerate(gaps):
        missing = (np.arange(rows) % len(gaps) == turn) | (rng.random(rows) < SHARE / len(gaps))
        table[place][missing] = np.nan
    return table


def _with_words(rng: Any, known: list[NDArray[Any]], texts: list[int], rows: int) -> list[NDArray[Any]]:
    """Words that are new, and known ones in other capitals and with a blank."""
    table = _some(rng, known, rows)
    for turn, place in enumerate(texts):
        words = [word for word in table[place][:20] if isinstance(word, str)]
        new = [*UNKNOWN, *(word.upper() for word in words), *(f"{word} " for word in words)]
        for row in range(turn, rows, len(texts)):
            table[place][row] = new[rng.integers(len(new))]
    return table


def _neighbours(rng: Any, thresholds: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """The splits, the floats beside them, and what of float32 is beside them."""
    splits = np.unique(thresholds)
    if len(splits) > most // 7:
        splits = rng.choice(splits, max(1, most // 7), replace=False)
    with np.errstate(over="ignore"):
        single = splits.astype(np.float32)
        below, above = np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(np.inf))
    beside = [np.nextafter(splits, -np.inf), np.nextafter(splits, np.inf)]
    # Between two floats of 32 bits lies where the cast to them turns.
    between = [(single + below.astype(float)) / 2, (single + above.astype(float)) / 2]
    found: NDArray[np.float64] = np.concatenate([splits, *beside, single, below, above, *between]).astype(float)
    return found[np.isfinite(found)]


def _at(rng: Any, known: list[NDArray[Any]], values: dict[int, NDArray[np.float64]], most: int) -> list[NDArray[Any]]:
    """Rows of the training, one column of each moved to one of its values."""
    moves = [(place, value) for place, found in values.items() for value in found.tolist()]
    chosen = rng.permutation(len(moves))[:most]
    table = _some(rng, known, len(chosen))
    for row, move in enumerate(chosen):
        place, value = moves[move]
        table[place][row] = value
    return table


def _lists(table: list[NDArray[Any]]) -> Table:
    return [values.tolist() for values in table]
