"""Compile a fitted model: convert it, prove that it predicts alike, time it, and decide whether to serve it."""

import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd

from ML.compiler import graph
from ML.compiler.converters import (
    encoders,
    linear,
    naive_bayes,
    neural_networks,
    pipelines,
    support_vectors,
    transformers,
    trees,
)
from ML.compiler.converters.registry import answered
from ML.compiler.graph import Graph, Unsupported
from ML.compiler.probes import Table, probes
from ML.compiler.proof import Different, prove
from ML.config.config import settings
from ML.prediction import onnx_session, predictor
from ML.prediction.predictor import Predictor
from ML.versions import model_file
from ML.versions.card import Card, Compiled

# Importing a converter registers it. Listed here, the imports count as used.
__all__ = [
    "encoders",
    "linear",
    "naive_bayes",
    "neural_networks",
    "pipelines",
    "support_vectors",
    "transformers",
    "trees",
]

log = logging.getLogger("fast_ml.compiling")

FILE = "compiled.onnx"
TIMED_ROWS = (1, 32, 10_000)
PROBE_SECONDS = 0.3
"""How long the original may take for each kind of synthetic rows in the proof."""
TRAINING_ROWS_SECONDS = 2.0
"""How long it may take for rows of the training in the proof."""
TIMING_SECONDS = 1.0
"""How long it may take per timing. If it is slower, fewer rows are timed."""
MOST_ROWS, FEWEST_ROWS = 20_000, 200
"""Limits of the number of rows of one kind in the proof."""
SLOWER = 1.1
"""A ratio of times from here on counts as slower; less is noise."""
ATTEMPTS = 2
"""How often both are timed before the compiled model counts as slower: other processes may disturb a timing."""


def compiled(card: Card, original: Predictor, X: pd.DataFrame, folder: Path) -> Compiled:
    """Compile the model into `folder` and return the result for its card.

    If anything goes wrong, the original is served and the result says why.
    """
    path = folder / FILE
    try:
        found = _compiled(card, original, X, path)
    except Unsupported as reason:
        found = Compiled(why=str(reason))
    except Different as reason:
        found = Compiled(why=str(reason))
        card.notes.append(f"it is not served compiled: {reason}")
    except Exception as error:
        log.exception("%s/%s can't be compiled", card.model, card.version)
        found = Compiled(why=f"It could not be compiled: {type(error).__name__}: {error}")
    if not found.used:
        path.unlink(missing_ok=True)
    return found


def _compiled(card: Card, original: Predictor, X: pd.DataFrame, path: Path) -> Compiled:
    assert card.features and card.target
    data, thresholds = converted(card, original.model)
    path.write_bytes(data)
    found = Compiled(file=FILE, sha256=model_file.seal(path), runtime=onnx_session.installed())
    try:
        model = onnx_session.load(path, found.sha256, found.runtime, card.features, card.target.classes)
    except onnx_session.Unusable as error:
        raise Unsupported(f"It can't be run: {error}") from error
    made = predictor.make(card, model)
    some = _repeated([X.iloc[:1000, place].tolist() for place in range(X.shape[1])], 1000)
    each = _best(original, some) / len(some[0])
    learned, most = (_affordable(seconds, each) for seconds in (TRAINING_ROWS_SECONDS, PROBE_SECONDS))
    proof = prove(original, made, probes(card.features, X.iloc[:learned], thresholds, most))
    found.rows, found.difference = proof.rows, proof.difference
    for _ in range(ATTEMPTS):
        found.seconds = _timed(original, made, some, int(TIMING_SECONDS / each))
        found.why = slower(found.seconds)
        if not found.why:
            break
    found.used = not found.why
    return found


def _affordable(seconds: float, each: float) -> int:
    return max(FEWEST_ROWS, min(MOST_ROWS, int(seconds / each)))


def converted(card: Card, model: Any) -> tuple[bytes, dict[int, Any]]:
    """Return the graph of a fitted model, and the thresholds of its trees for each column. Raise Unsupported."""
    assert card.features and card.target
    made, given = Graph(), graph.table(card.features)
    outputs = answered(made, model, given)
    if ("label" in outputs) != (card.target.task == "classification" and card.target.classes is not None):
        raise Unsupported("Its predictions do not fit its target")
    if card.probabilities and "probabilities" not in outputs:
        raise Unsupported(f"The probabilities of {type(model).__name__} have no compiled form")
    return graph.model(made, given, outputs).SerializeToString(), made.thresholds


def _timed(original: Predictor, made: Predictor, some: Table, affordable: int) -> dict[str, dict[str, float]]:
    """Return how long both models take for some numbers of rows, from converted values to predictions, in seconds."""
    seconds = {}
    for rows in dict.fromkeys(min(rows, max(affordable, TIMED_ROWS[1])) for rows in TIMED_ROWS):
        table = _repeated(some, rows)
        seconds[str(rows)] = {"original": _best(original, table), "compiled": _best(made, table)}
    return seconds


def _repeated(table: Table, rows: int) -> Table:
    return [(column * (rows // len(column) + 1))[:rows] for column in table]


def _best(model: Predictor, table: Table) -> float:
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
