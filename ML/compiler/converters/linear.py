"""Converters for linear models: a product, a sum, and classes from scores."""

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    Lasso,
    LassoCV,
    LassoLars,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    OrthogonalMatchingPursuit,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

from ML.compiler.converters.registry import Outputs, estimator
from ML.compiler.graph import Columns, Graph, Unsupported


@estimator(
    LinearRegression, Ridge, RidgeCV, Lasso, LassoCV, ElasticNet, ElasticNetCV, Lars, LassoLars, HuberRegressor,
    BayesianRidge, ARDRegression, OrthogonalMatchingPursuit, QuantileRegressor, TheilSenRegressor, SGDRegressor,
    LinearSVR, PoissonRegressor, GammaRegressor, TweedieRegressor,
)  # fmt: skip
def regressor(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes that compute the value."""
    tensor = graph.tensor(columns)
    graph.refuse_unless_finite(tensor)
    value = affine(graph, tensor, np.reshape(model.coef_, (1, -1)).T, np.ravel(model.intercept_))
    return {"value": graph.add("Exp", value) if _has_log_link(model) else value}


@estimator(
    LogisticRegression, LogisticRegressionCV, SGDClassifier, Perceptron, RidgeClassifier, RidgeClassifierCV, LinearSVC,
    LinearDiscriminantAnalysis,
)  # fmt: skip
def classifier(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes for the class with the highest score; of two classes the second if its score is above 0."""
    tensor = graph.tensor(columns)
    graph.refuse_unless_finite(tensor)
    weights, intercept = np.atleast_2d(model.coef_).T, np.ravel(model.intercept_)
    if binary := weights.shape[1] == 1:
        weights, intercept = np.pad(weights, ((0, 0), (1, 0))), np.pad(np.broadcast_to(intercept, 1), (1, 0))
    scores = affine(graph, tensor, weights, intercept)
    label = {"label": graph.add("ArgMax", scores, axis=1, keepdims=0)}
    if not hasattr(model, "predict_proba"):
        return label
    if not isinstance(model, SGDClassifier):
        return label | {"probabilities": graph.add("Softmax", scores, axis=1)}
    if model.loss != "log_loss":
        raise Unsupported(f"SGDClassifier with loss {model.loss} has no compiled form")
    return label | {"probabilities": graph.add("Softmax", scores, axis=1) if binary else _each(graph, scores)}


def _has_log_link(model: Any) -> bool:
    """Return whether the model predicts the logarithm of its target. Raises Unsupported for an unknown link."""
    if not isinstance(model, TweedieRegressor):
        return isinstance(model, PoissonRegressor | GammaRegressor)
    if model.link not in ("auto", "identity", "log"):
        raise Unsupported(f"{type(model).__name__} with link {model.link} has no compiled form")
    return bool(model.link == "log" or (model.link == "auto" and model.power > 0))


def affine(graph: Graph, tensor: str, weights: Any, intercept: Any) -> str:
    """Return tensor @ weights + intercept, shape (rows, outputs)."""
    return graph.add("Add", graph.add("MatMul", tensor, graph.constant(weights)), graph.constant(intercept))


def sigmoid(graph: Graph, scores: str) -> str:
    """Return the logistic function of scores, precise near 0: the runtime's own operator subtracts from 1 there."""
    powers = graph.add("Exp", graph.add("Neg", scores))
    return graph.add("Div", graph.constant(1.0), graph.add("Add", powers, graph.constant(1.0)))


def _each(graph: Graph, scores: str) -> str:
    """Return one-vs-rest probabilities, scaled to a sum of 1. If all are 0, they become equal."""
    shares = sigmoid(graph, scores)
    total = graph.add("ReduceSum", shares, graph.constant([1], np.int64))
    none = graph.add("Equal", total, graph.constant(0.0))
    alike = graph.add("Add", shares, graph.add("Cast", none, to=TensorProto.DOUBLE))
    return graph.add("Div", alike, graph.add("ReduceSum", alike, graph.constant([1], np.int64)))
