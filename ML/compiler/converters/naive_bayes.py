"""Converter for naive Bayes."""

from typing import Any

import numpy as np
from sklearn.naive_bayes import GaussianNB

from ML.compiler.converters.registry import Outputs, estimator
from ML.compiler.graph import Columns, Graph


@estimator(GaussianNB)
def bayes(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the nodes for the most likely class. An intermediate tensor has the shape (rows, classes, columns)."""
    tensor, axis = graph.tensor(columns), graph.constant([1], np.int64)
    graph.refuse_unless_finite(tensor)
    away = graph.add("Sub", graph.add("Unsqueeze", tensor, axis), graph.constant(model.theta_))
    spread = graph.add("Div", graph.add("Mul", away, away), graph.constant(model.var_))
    total = graph.add("ReduceSum", spread, graph.constant([2], np.int64), keepdims=0)
    likely = np.log(model.class_prior_) - 0.5 * np.log(2 * np.pi * model.var_).sum(axis=1)
    joint = graph.add("Sub", graph.constant(likely), graph.add("Mul", total, graph.constant(0.5)))
    label = graph.add("ArgMax", joint, axis=1, keepdims=0)
    return {"label": label, "probabilities": graph.add("Softmax", joint, axis=1)}
