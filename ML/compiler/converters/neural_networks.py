"""Estimators that are a few nodes each: naive Bayes and neural networks."""

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.base import is_classifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ML.compiler.converters.linear import affine, sigmoid
from ML.compiler.converters.registry import Outputs, estimator
from ML.compiler.graph import Columns, Graph, Unsupported

ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


@estimator(GaussianNB)
def bayes(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """The class under which the row is likeliest. Shape on the way: (rows, classes, columns)."""
    tensor, axis = graph.tensor(columns), graph.constant([1], np.int64)
    graph.refuse_unless_finite(tensor)
    away = graph.add("Sub", graph.add("Unsqueeze", tensor, axis), graph.constant(model.theta_))
    spread = graph.add("Div", graph.add("Mul", away, away), graph.constant(model.var_))
    total = graph.add("ReduceSum", spread, graph.constant([2], np.int64), keepdims=0)
    likely = np.log(model.class_prior_) - 0.5 * np.log(2 * np.pi * model.var_).sum(axis=1)
    joint = graph.add("Sub", graph.constant(likely), graph.add("Mul", total, graph.constant(0.5)))
    label = graph.add("ArgMax", joint, axis=1, keepdims=0)
    return {"label": label, "probabilities": graph.add("Softmax", joint, axis=1)}


@estimator(MLPClassifier, MLPRegressor)
def network(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Layer by layer."""
    tensor = graph.tensor(columns)
    graph.refuse_unless_finite(tensor)
    for layer, (weights, intercept) in enumerate(zip(model.coefs_, model.intercepts_, strict=True), 1):
        tensor = affine(graph, tensor, weights, intercept)
        if layer < model.n_layers_ - 1 and model.activation != "identity":
            tensor = graph.add(ACTIVATIONS[model.activation], tensor)
    if not is_classifier(model):
        if model.out_activation_ != "identity" or model.n_outputs_ != 1:
            raise Unsupported("MLPRegressor with another loss or several targets has no compiled form")
        return {"value": tensor}
    if model.out_activation_ == "softmax":
        label = graph.add("ArgMax", tensor, axis=1, keepdims=0)
        return {"label": label, "probabilities": graph.add("Softmax", tensor, axis=1)}
    share = sigmoid(graph, tensor)
    above = graph.add("Cast", graph.add("Greater", share, graph.constant(0.5)), to=TensorProto.INT64)
    both = graph.add("Concat", graph.add("Sub", graph.constant(1.0), share), share, axis=1)
    return {"label": graph.add("Squeeze", above, graph.constant([1], np.int64)), "probabilities": both}
