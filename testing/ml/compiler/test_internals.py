"""scikit-learn's private attributes that converters read: an upgrade that changes one fails here.

Checked with scikit-learn 1.9.1.
"""

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.svm import SVC, SVR

from ML.compiler.converters import internals
from ML.compiler.graph import Unsupported

X = np.random.default_rng(0).normal(size=(60, 3))
TWO, THREE, VALUES = X[:, 0] > 0, np.digitize(X[:, 1], [-0.5, 0.5]), X @ [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("gamma", "expected"), [("scale", 1 / (3 * X.var())), ("auto", 1 / 3), (0.25, 0.25)])
def test_the_gamma_of_a_kernel(gamma, expected):
    for model in (SVC(gamma=gamma).fit(X, THREE), SVR(gamma=gamma).fit(X, VALUES)):
        assert internals.kernel_gamma(model) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("y", "trees"), [(TWO, 1), (THREE, 3)])
def test_the_start_and_the_trees_of_histogram_gradient_boosting(y, trees):
    model = HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=5).fit(X, y)
    assert internals.baseline(model).shape == (trees,)
    assert np.allclose(summed(model, trees), model.decision_function(X).reshape(len(X), -1), rtol=1e-12)


def test_the_start_of_histogram_gradient_boosting_for_values_is_their_mean():
    model = HistGradientBoostingRegressor(max_iter=4, min_samples_leaf=5).fit(X, VALUES)
    assert internals.baseline(model) == pytest.approx([VALUES.mean()])
    assert np.allclose(summed(model, 1)[:, 0], model.predict(X), rtol=1e-12)


def summed(model, trees):
    """The start plus the leaf of each tree, found by walking its nodes, shape (rows, trees)."""
    found = np.tile(internals.baseline(model), (len(X), 1))
    iterations = internals.tree_nodes(model)
    assert len(iterations) == model.n_iter_
    for iteration in iterations:
        assert len(iteration) == trees
        for target, nodes in enumerate(iteration):
            found[:, target] += [leaf(nodes, row) for row in X]
    return found


def leaf(nodes, row):
    node = nodes[0]
    while not node["is_leaf"]:
        node = nodes[node["left"] if row[node["feature_idx"]] <= node["num_threshold"] else node["right"]]
    return node["value"]


def test_the_start_of_gradient_boosting():
    values = GradientBoostingRegressor(n_estimators=2).fit(X, VALUES)
    assert internals.initial_prediction(values) == pytest.approx([VALUES.mean()])
    two = GradientBoostingClassifier(n_estimators=2).fit(X, TWO)
    assert internals.initial_prediction(two) == pytest.approx([np.log(TWO.mean() / (1 - TWO.mean()))])
    three = GradientBoostingClassifier(n_estimators=2).fit(X, THREE)
    logarithms = np.log(np.bincount(THREE) / len(X))
    assert internals.initial_prediction(three) == pytest.approx(logarithms - logarithms.mean())
    nothing = GradientBoostingClassifier(n_estimators=2, init="zero").fit(X, THREE)
    assert internals.initial_prediction(nothing).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "read", [internals.kernel_gamma, internals.baseline, internals.tree_nodes, internals.initial_prediction]
)
def test_a_missing_attribute_means_unsupported(read):
    class Other:
        n_features_in_ = 3

    with pytest.raises(Unsupported, match=r"Other has no _\w+ in scikit-learn \d+\.\d+"):
        read(Other())


def test_trees_without_nodes_are_unsupported():
    class Other:
        _predictors = ((object(),),)

    with pytest.raises(Unsupported, match="object has no nodes"):
        internals.tree_nodes(Other())
