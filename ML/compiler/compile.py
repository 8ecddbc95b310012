"""From a fitted model to its compiled form: converted, proven, timed, and chosen or not. No server imports it."""

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
from ML.prediction import onnx_session as runtimes
from ML.prediction import predictor
from ML.prediction.predictor import Predictor
from ML.versions import model_file
from ML.versions.card import Card, Compiled

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
ROWS = (1, 32, 10_000)
ALLOWED = 0.3
"""Seconds that the original may take for each kind of rows that are made up for the proof."""
LEARNED = 2.0
"""Seconds that it may take for those of the training."""
TIMED = 1.0
"""Seconds that it may take when it is timed; past that fewer rows must do."""
MOST_ROWS, FEWEST_ROWS = 20_000, 200
SLOWER = 1.1
"""What counts as slower: less is noise."""
LOOKS = 2
"""So often both are timed before the compiled form is called slower: others may have been at work."""


def compiled(card: Card, original: Predictor, X: pd.DataFrame, folder: Path) -> Compiled:
    """What came of it, for the card. Whatever goes wrong, the original serves and the card says why."""
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
    found = Compiled(file=FILE, sha256=model_file.seal(path), runtime=runtimes.installed())
    try:
        model = runtimes.load(path, found.sha256, found.runtime, card.features, card.target.classes)
    except runtimes.Unusable as error:
        raise Unsupported(f"It can't be run: {error}") from error
    made = predictor.make(card, model)
    some = _repeated([X.iloc[:1000, place].tolist() for place in range(X.shape[1])], 1000)
    each = _best(original, some) / len(some[0])
    learned, most = (max(FEWEST_ROWS, min(MOST_ROWS, int(allowed / each))) for allowed in (LEARNED, ALLOWED))
    proof = prove(original, made, probes(card.features, X.iloc[:learned], thresholds, most))
    found.rows, found.difference = proof.rows, proof.difference
    for _ in range(LOOKS):
        found.seconds = _timed(original, made, some, int(TIMED / each))
        found.why = slower(found.seconds)
        if not found.why:
            break
    found.used = not found.why
    return found


def converted(card: Card, model: Any) -> tuple[bytes, dict[int, Any]]:
    """The graph of a fitted model, and where its trees divide the columns of the table. Raises Unsupported."""
    assert card.features and card.target
    made, given = Graph(), graph.table(card.features)
    outputs = answered(made, model, given)
    if ("label" in outputs) != (card.target.task == "classification" and card.target.classes is not None):
        raise Unsupported("Its answers are not what its target wants")
    if card.probabilities and "probabilities" not in outputs:
        raise Unsupported(f"The probabilities of {type(model).__name__} have no compiled form")
    return graph.model(made, given, outputs).SerializeToString(), made.thresholds


def _timed(original: Predictor, made: Predictor, some: Table, affordable: int) -> dict[str, dict[str, float]]:
    """What both take for so many rows, from converted values to the answer."""
    seconds = {}
    for rows in dict.fromkeys(min(rows, max(affordable, ROWS[1])) for rows in ROWS):
        table = _repeated(some, rows)
        seconds[str(rows)] = {"original": _best(original, table), "compiled": _best(made, table)}
    return seconds


def _repeated(table: Table, rows: int) -> Table:
    return [(column * (rows // len(column) + 1))[:rows] for column in table]


def _best(model: Predictor, table: Table) -> float:
    """The best of a few within a twentieth of a second, in pieces as the server calls it: others use the machine."""
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
    """A sentence where compiling costs time."""
    for rows, took in seconds.items():
        if took["compiled"] > SLOWER * took["original"]:
            return f"It is slower: {rows} rows take {took['compiled']} s compiled and {took['original']} s as they are"
    return ""
