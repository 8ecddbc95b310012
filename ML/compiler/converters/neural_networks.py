"""Converter for multi-layer perceptrons."""

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.base import is_classifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ML.compiler.converters.linear import affine, sigmoid
from ML.compiler.converters.registry import Outputs, estimator
from ML.compiler.graph import Columns, Graph, Unsupported

ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


@estimator(MLPClassifier, MLPRegressor)
def network(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes of each layer."""
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
