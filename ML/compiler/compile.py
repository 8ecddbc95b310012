"""Compile a fitted model: convert it, prove that it predicts alike, time it, and decide whether to serve it."""

import logging
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
from ML.compiler.probes import probes
from ML.compiler.proof import Different, prove
from ML.compiler.timing import best_seconds, repeated, slower, timed
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
PROBE_SECONDS = 0.3
"""How long the original may take for each kind of synthetic rows in the proof."""
TRAINING_ROWS_SECONDS = 2.0
"""How long it may take for rows of the training in the proof."""
TIMING_SECONDS = 1.0
"""How long it may take per timing. If it is slower, fewer rows are timed."""
MOST_ROWS, FEWEST_ROWS = 20_000, 200
"""Limits of the number of rows of one kind in the proof."""
ATTEMPTS = 2
"""How often both are timed before the compiled model counts as slower: other processes may disturb a timing."""


def compiled(card: Card, original: Predictor, X: pd.DataFrame, folder: Path) -> Compiled:
    """Compile the model into `folder` and return the result for its card.

    If anything goes wrong, the original is served and the result says why.
    """
    path = folder / FILE
    try:
        result = _compiled(card, original, X, path)
    except Unsupported as reason:
        result = Compiled(why=str(reason))
    except Different as reason:
        result = Compiled(why=str(reason))
        card.notes.append(f"it is not served compiled: {reason}")
    except Exception as error:
        log.exception("%s/%s can't be compiled", card.model, card.version)
        result = Compiled(why=f"It could not be compiled: {type(error).__name__}: {error}")
    if not result.used:
        path.unlink(missing_ok=True)
    return result


def _compiled(card: Card, original: Predictor, X: pd.DataFrame, path: Path) -> Compiled:
    assert card.features
    data, thresholds = converted(card, original.model)
    path.write_bytes(data)
    result = Compiled(file=FILE, sha256=model_file.sync_and_hash(path), runtime=onnx_session.installed())
    candidate = _loaded(card, result, path)
    sample = repeated([X.iloc[:1000, place].tolist() for place in range(X.shape[1])], 1000)
    row_seconds = best_seconds(original, sample) / len(sample[0])
    learned, most = (_affordable(seconds, row_seconds) for seconds in (TRAINING_ROWS_SECONDS, PROBE_SECONDS))
    proof = prove(original, candidate, probes(card.features, X.iloc[:learned], thresholds, most))
    result.rows, result.difference = proof.rows, proof.difference
    for _ in range(ATTEMPTS):
        result.seconds = timed(original, candidate, sample, int(TIMING_SECONDS / row_seconds))
        result.why = slower(result.seconds)
        if not result.why:
            break
    result.used = not result.why
    return result


def _loaded(card: Card, entry: Compiled, path: Path) -> Predictor:
    """Return the compiled model as the server loads it. Raise Unsupported."""
    assert card.features and card.target
    try:
        model = onnx_session.load(path, entry.sha256, entry.runtime, card.features, card.target.classes)
    except onnx_session.Unusable as error:
        raise Unsupported(f"It can't be run: {error}") from error
    return predictor.make(card, model)


def _affordable(seconds: float, row_seconds: float) -> int:
    return max(FEWEST_ROWS, min(MOST_ROWS, int(seconds / row_seconds)))


def converted(card: Card, model: Any) -> tuple[bytes, dict[int, Any]]:
    """Return the graph of a fitted model, and the thresholds of its trees for each column. Raise Unsupported."""
    assert card.features and card.target
    nodes, inputs = Graph(), graph.table(card.features)
    outputs = answered(nodes, model, inputs)
    if ("label" in outputs) != (card.target.task == "classification" and card.target.classes is not None):
        raise Unsupported("Its predictions do not fit its target")
    if card.probabilities and "probabilities" not in outputs:
        raise Unsupported(f"The probabilities of {type(model).__name__} have no compiled form")
    return graph.model(nodes, inputs, outputs).SerializeToString(), nodes.thresholds
