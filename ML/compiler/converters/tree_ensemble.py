"""Trees as one ONNX operator: `TreeEnsemble` of ai.onnx.ml 5, with float64 thresholds and sums."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, numpy_helper

from ML.compiler.graph import TREES, Columns, Graph, Unsupported

MOST_NODES = 1_000_000
"""More nodes would take the training minutes and the server hundreds of megabytes."""
SUM, LESS_OR_EQUAL = 1, 0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Tree(NamedTuple):
    """The nodes of a tree, one per element of each array, the root first. Inner nodes ignore target and weight."""

    feature: Ints
    threshold: Floats
    missing_left: Ints
    left: Ints
    right: Ints
    leaf: NDArray[np.bool_]
    target: Ints
    weight: Floats


def constant(values: Any) -> list[Tree]:
    """Return a tree of one leaf for each value. Sums start with them, in scikit-learn's order."""
    none, leaf = np.zeros(1, int), np.ones(1, bool)
    return [Tree(none, none * 1.0, none, none, none, leaf, none + k, none + float(v)) for k, v in enumerate(values)]


def summed(graph: Graph, columns: Columns, tensor: str, trees: Iterable[Tree], targets: int) -> str:
    """Return the sums of the leaves' weights for each target, shape (rows, targets). Trees say which way NaN goes."""
    members = list(trees)
    nodes = sum(len(tree.leaf) for tree in members)
    if nodes > MOST_NODES:
        raise Unsupported(f"Its trees have {nodes:,} nodes; up to {MOST_NODES:,} are compiled")
    _record_thresholds(graph, columns, members)
    output = graph.add("TreeEnsemble", tensor, domain=TREES)
    graph.nodes[-1].attribute.extend(_attributes(members, targets))
    return output


def _attributes(trees: list[Tree], targets: int) -> Iterable[AttributeProto]:
    parts, roots, splits, leaves = [], [], 0, 0
    for tree in trees:
        leaf = tree.leaf
        place = np.where(leaf, leaves + np.cumsum(leaf) - 1, splits + np.cumsum(~leaf) - 1)
        # A root must be a split: both branches of a tree with one leaf lead to the leaf.
        inner = leaf if leaf.all() else ~leaf
        left, right = tree.left[inner], tree.right[inner]
        parts.append(
            (tree.feature[inner], tree.threshold[inner], tree.missing_left[inner], place[left], leaf[left],
             place[right], leaf[right], tree.target[leaf], tree.weight[leaf])
        )  # fmt: skip
        roots.append(splits)
        splits, leaves = splits + len(left), leaves + int(leaf.sum())
    feature, split, missing, true, true_leaf, false, false_leaf, target, weight = map(
        np.concatenate, zip(*parts, strict=True)
    )
    yield from (_number("n_targets", targets), _number("aggregate_function", SUM), _number("post_transform", 0))
    yield from (_floats("nodes_splits", split), _floats("leaf_weights", weight))
    yield _tensor("nodes_modes", np.full(len(feature), LESS_OR_EQUAL, np.uint8))
    yield from (_ints("tree_roots", np.array(roots)), _ints("nodes_featureids", feature))
    yield from (_ints("nodes_missing_value_tracks_true", missing), _ints("leaf_targetids", target))
    yield from (_ints("nodes_truenodeids", true), _ints("nodes_trueleafs", true_leaf))
    yield from (_ints("nodes_falsenodeids", false), _ints("nodes_falseleafs", false_leaf))


def _number(name: str, value: int) -> AttributeProto:
    return AttributeProto(name=name, type=AttributeProto.INT, i=value)


def _ints(name: str, values: Any) -> AttributeProto:
    return AttributeProto(name=name, type=AttributeProto.INTS, ints=values.astype(int).tolist())


def _floats(name: str, values: Any) -> AttributeProto:
    return _tensor(name, np.ascontiguousarray(values, dtype=np.float64))


def _tensor(name: str, values: Any) -> AttributeProto:
    return AttributeProto(name=name, type=AttributeProto.TENSOR, t=numpy_helper.from_array(values))


def _record_thresholds(graph: Graph, columns: Columns, trees: list[Tree]) -> None:
    """Record the thresholds for columns of the table, converted back to the values before scaling."""
    splits = [~tree.leaf for tree in trees]
    features = np.concatenate([tree.feature[inner] for tree, inner in zip(trees, splits, strict=True)])
    thresholds = np.concatenate([tree.threshold[inner] for tree, inner in zip(trees, splits, strict=True)])
    for place, column in enumerate(columns):
        if column.origin:
            splits_of_column = np.unique(thresholds[features == place]) * column.origin.scale + column.origin.shift
            graph.thresholds.setdefault(column.origin.place, []).append(splits_of_column[np.isfinite(splits_of_column)])
