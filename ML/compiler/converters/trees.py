"""Converters for trees and ensembles of trees, split for split."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from ML.compiler.converters import internals, tree_ensemble
from ML.compiler.converters.registry import Outputs, estimator
from ML.compiler.converters.tree_ensemble import Tree
from ML.compiler.graph import Columns, Graph, Unsupported

LINEAR_LOSSES = frozenset({"squared_error", "absolute_error", "quantile"})
LOG_LOSSES = frozenset({"poisson", "gamma"})
"""Losses of regressors whose trees add up to the logarithm of the prediction."""
TOO_LARGE = "a number is too large for the model"


@estimator(HistGradientBoostingClassifier, HistGradientBoostingRegressor)
def histogram(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append sums of trees over float64 columns. With two classes the sum is the score of the second."""
    if model.is_categorical_ is not None:
        raise Unsupported(f"{type(model).__name__} with categorical_features has no compiled form")
    classify = is_classifier(model)
    first = int(classify and model.n_trees_per_iteration_ == 1)
    trees = tree_ensemble.constant([0.0] * first + internals.baseline(model).tolist())[first:]
    for round_ in internals.tree_nodes(model):
        trees += [_histogram_tree(nodes, k + first) for k, nodes in enumerate(round_)]
    targets = model.n_trees_per_iteration_ + first
    raw = tree_ensemble.summed(graph, columns, graph.tensor(columns), trees, targets)
    if classify:
        return boosted(graph, raw)
    if model.loss not in LINEAR_LOSSES | LOG_LOSSES:
        raise Unsupported(f"{type(model).__name__} with loss {model.loss} has no compiled form")
    return {"value": graph.add("Exp", raw) if model.loss in LOG_LOSSES else raw}


def boosted(graph: Graph, raw: str, last: int = 0, scale: float = 1.0) -> Outputs:
    """Append the class with the highest sum: in a tie the first, or with `last` the last."""
    scaled = raw if scale == 1 else graph.add("Mul", raw, graph.constant(scale))
    label = graph.add("ArgMax", raw, axis=1, keepdims=0, select_last_index=last)
    return {"label": label, "probabilities": graph.add("Softmax", scaled, axis=1)}


def _histogram_tree(nodes: Any, target: int) -> Tree:
    leaf = nodes["is_leaf"] > 0
    return Tree(
        nodes["feature_idx"].astype(int), nodes["num_threshold"], nodes["missing_go_to_left"],
        nodes["left"].astype(int), nodes["right"].astype(int), leaf, np.full(len(leaf), target), nodes["value"],
    )  # fmt: skip


@estimator(
    RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier, ExtraTreeClassifier,
    RandomForestRegressor, ExtraTreesRegressor, DecisionTreeRegressor, ExtraTreeRegressor,
)  # fmt: skip
def forest(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the mean of the trees' leaves: shares of classes, or a value."""
    if model.n_outputs_ != 1:
        raise Unsupported("More than one target has no compiled form")
    members = getattr(model, "estimators_", [model])
    classes = int(model.n_classes_) if is_classifier(model) else 1
    trees = [tree for member in members for tree in _forest_trees(member.tree_)]
    single = _as_float32(graph, columns)
    graph.refuse_unless_zero(_infinite(graph, single), TOO_LARGE)
    mean = tree_ensemble.summed(graph, columns, single, trees, classes)
    if len(members) > 1:
        mean = graph.add("Div", mean, graph.constant(float(len(members))))
    if not is_classifier(model):
        return {"value": mean}
    return {"label": graph.add("ArgMax", mean, axis=1, keepdims=0), "probabilities": mean}


def _as_float32(graph: Graph, columns: Columns) -> str:
    """Return the columns rounded to float32: these trees compare float32 with float64 thresholds."""
    single = graph.add("Cast", graph.tensor(columns), to=TensorProto.FLOAT)
    return graph.add("Cast", single, to=TensorProto.DOUBLE)


def _infinite(graph: Graph, tensor: str) -> str:
    return graph.add("Cast", graph.add("IsInf", tensor), to=TensorProto.DOUBLE)


def _forest_trees(tree: Any) -> Iterator[Tree]:
    """Yield a tree and copies of it, each with one class per leaf: in ONNX a leaf has one weight.

    A fully grown tree has pure leaves and needs no copy.
    """
    shares = tree.value[:, 0, :]
    order = np.argsort(shares == 0, axis=1, kind="stable")
    leaf = tree.children_left < 0
    copies = 1 if shares.shape[1] == 1 else int((shares[leaf] != 0).sum(axis=1).max())
    for copy in range(copies):
        yield _tree(tree, order[:, copy], np.take_along_axis(shares, order[:, copy, None], axis=1)[:, 0])


def _tree(tree: Any, target: NDArray[Any], weight: NDArray[Any]) -> Tree:
    leaf = tree.children_left < 0
    return Tree(
        tree.feature, tree.threshold, tree.missing_go_to_left, tree.children_left, tree.children_right, leaf, target,
        weight,
    )  # fmt: skip


@estimator(GradientBoostingClassifier, GradientBoostingRegressor)
def gradient(graph: Graph, model: Any, columns: Columns) -> Outputs:
    """Append the initial prediction plus each tree's leaf times the learning rate."""
    if model.init is not None and model.init != "zero":
        raise Unsupported(f"{type(model).__name__} with an init estimator has no compiled form")
    classify = is_classifier(model)
    first = int(classify and model.n_trees_per_iteration_ == 1)
    trees = tree_ensemble.constant([0.0] * first + internals.initial_prediction(model).tolist())[first:]
    for round_ in model.estimators_:
        for k, member in enumerate(round_):
            weight = model.learning_rate * member.tree_.value[:, 0, 0]
            trees.append(_tree(member.tree_, np.full(len(weight), k + first), weight))
    single = _as_float32(graph, columns)
    graph.refuse_unless_finite(single)
    raw = tree_ensemble.summed(graph, columns, single, trees, model.n_trees_per_iteration_ + first)
    if not classify:
        return {"value": raw}
    # In a tie of two classes the second wins. The exponential loss predicts half the log odds.
    return boosted(graph, raw, first, 2.0 if model.loss == "exponential" else 1.0)
