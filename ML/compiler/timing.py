"""Measures how long a model and its compiled form take, and whether the compiled form is slower."""

import time

from ML.compiler.probes import Table
from ML.config.config import settings
from ML.prediction.predictor import Predictor

TIMED_ROWS = (1, 32, 10_000)
SLOWER = 1.1
"""A ratio of times from here on counts as slower; less is noise."""


def timed(original: Predictor, candidate: Predictor, sample: Table, affordable: int) -> dict[str, dict[str, float]]:
    """Return how long both models take for some numbers of rows, from converted values to predictions, in seconds."""
    seconds = {}
    for rows in dict.fromkeys(min(rows, max(affordable, TIMED_ROWS[1])) for rows in TIMED_ROWS):
        table = repeated(sample, rows)
        seconds[str(rows)] = {"original": best_seconds(original, table), "compiled": best_seconds(candidate, table)}
    return seconds


def repeated(table: Table, rows: int) -> Table:
    """Return a table of so many rows, made of the rows of this one."""
    return [(column * (rows // len(column) + 1))[:rows] for column in table]


def best_seconds(model: Predictor, table: Table) -> float:
    """Return the shortest time for the table, in seconds, of up to 20 runs within 0.05 s.

    The model gets pieces of the size that the server uses.
    """
    best, ends, piece = float("inf"), time.perf_counter() + 0.05, settings().batch_max_rows
    pieces = [[column[row : row + piece] for column in table] for row in range(0, len(table[0]), piece)]
    for _ in range(20):
        started = time.perf_counter()
        for part in pieces:
            model.predict(model.table(part))
        best = min(best, time.perf_counter() - started)
        if time.perf_counter() > ends:
            break
    return float(f"{best:.3g}")


def slower(seconds: dict[str, dict[str, float]]) -> str:
    """Return a sentence if the compiled model is slower for any number of rows, else nothing."""
    for rows, took in seconds.items():
        if took["compiled"] > SLOWER * took["original"]:
            return f"It is slower: {rows} rows take {took['compiled']} s compiled and {took['original']} s as they are"
    return ""
