"""The private attributes of scikit-learn that converters read because no public attribute has the same content.

Where a version of scikit-learn lacks one, the model can't be compiled and scikit-learn serves it.
testing/ml/compiler/test_internals.py reads each of them from a fitted model.
"""

from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from ML.compiler.graph import Unsupported


def kernel_gamma(model: Any) -> float:
    """Return the `gamma` of a fitted SVM's kernel: the parameter may be "scale", a word for the data's variance."""
    return float(_attribute(model, "_gamma"))


def baseline(model: Any) -> NDArray[np.float64]:
    """Return the raw predictions that histogram gradient boosting starts from, shape (trees per iteration,)."""
    return np.ravel(_attribute(model, "_baseline_prediction"))


def tree_nodes(model: Any) -> list[list[NDArray[Any]]]:
    """Return the nodes of each tree of histogram gradient boosting, as structured arrays: a list per iteration."""
    return [[_attribute(tree, "nodes") for tree in trees] for trees in _attribute(model, "_predictors")]


def initial_prediction(model: Any) -> NDArray[np.float64]:
    """Return the raw predictions that gradient boosting starts from, shape (trees per iteration,)."""
    row = np.zeros((1, model.n_features_in_), np.float32)  # without an init estimator they depend on no feature
    return np.ravel(_attribute(model, "_raw_predict_init")(row))


def _attribute(of: Any, name: str) -> Any:
    try:
        return getattr(of, name)
    except AttributeError:
        message = f"{type(of).__name__} has no {name} in scikit-learn {sklearn.__version__}, so it can't be compiled"
        raise Unsupported(message) from None
