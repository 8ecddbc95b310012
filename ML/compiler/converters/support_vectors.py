"""Converters for support vector machines: kernels as products of matrices, and libsvm's votes."""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from ML.compiler.converters.internals import kernel_gamma
from ML.compiler.converters.linear import affine
from ML.compiler.converters.registry import Outputs, estimator
from ML.compiler.graph import Columns, Graph, Unsupported

FAR = 1e150
"""Values are clipped to this: the kernel is 0 there as well, and their squares do not overflow."""


@estimator(SVR, NuSVR)
def regressor(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes that compute the value."""
    return {"value": _decision(graph, model, columns, model.dual_coef_.T, model.intercept_)}


@estimator(SVC, NuSVC)
def classifier(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes for the class with the most votes of all pairs of classes, the first in a tie."""
    if model.probability is True or (model.break_ties and len(model.classes_) > 2):
        raise Unsupported(f"{type(model).__name__} with probability or break_ties has no compiled form")
    weights, votes, others = _pairs(model)
    decision = _decision(graph, model, columns, weights, _sign(model) * model.intercept_)
    won = graph.add("Cast", graph.add("Greater", decision, graph.constant(0.0)), to=TensorProto.DOUBLE)
    return {"label": graph.add("ArgMax", affine(graph, won, votes, others), axis=1, keepdims=0)}


def _pairs(model: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the weights for each pair of classes, what a won pair adds to the votes, and the votes if none is won."""
    classes, ends = len(model.classes_), np.cumsum([0, *model.n_support_])
    coefficients = _sign(model) * model.dual_coef_
    pairs = list(combinations(range(classes), 2))
    weights = np.zeros((ends[-1], len(pairs)))
    votes, others = np.zeros((len(pairs), classes)), np.zeros(classes)
    for pair, (i, j) in enumerate(pairs):
        weights[ends[i] : ends[i + 1], pair] = coefficients[j - 1, ends[i] : ends[i + 1]]
        weights[ends[j] : ends[j + 1], pair] = coefficients[i, ends[j] : ends[j + 1]]
        votes[pair, i], votes[pair, j] = 1, -1
        others[j] += 1
    return weights, votes, others


def _sign(model: Any) -> int:
    """Return -1 where scikit-learn publishes libsvm's numbers with the opposite sign: with two classes."""
    return -1 if len(model.classes_) == 2 else 1


def _decision(graph: Graph, model: Any, columns: Columns, weights: Any, intercept: Any) -> str:
    tensor, vectors = graph.tensor(columns), model.support_vectors_
    graph.refuse_unless_finite(tensor)
    if model.kernel == "linear":
        return affine(graph, tensor, vectors.T @ weights, intercept)
    if model.kernel == "rbf":
        kernel = _gaussian(graph, tensor, vectors, kernel_gamma(model))
    elif model.kernel in ("poly", "sigmoid"):
        kernel = affine(graph, tensor, kernel_gamma(model) * vectors.T, model.coef0)
        power = graph.constant(float(model.degree))
        kernel = graph.add("Tanh", kernel) if model.kernel == "sigmoid" else graph.add("Pow", kernel, power)
    else:
        raise Unsupported(f"{type(model).__name__} with such a kernel has no compiled form")
    return affine(graph, kernel, weights, intercept)


def _gaussian(graph: Graph, tensor: str, vectors: NDArray[Any], gamma: float) -> str:
    """Return exp(-gamma |x - v|²), computed as |x|² - 2xv + |v|² around the mean vector, where little cancels out."""
    middle = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1])
    near = vectors - middle
    x = graph.add("Sub", tensor, graph.constant(middle))
    x = graph.add("Clip", x, graph.constant(-FAR), graph.constant(FAR))
    squares = graph.add("ReduceSum", graph.add("Mul", x, x), graph.constant([1], np.int64))
    rest = affine(graph, x, 2 * gamma * near.T, -gamma * (near**2).sum(axis=1))
    return graph.add("Exp", graph.add("Sub", rest, graph.add("Mul", squares, graph.constant(gamma))))
