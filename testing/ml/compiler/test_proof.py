"""The proof of a compiled model catches errors planted into its graph."""

import numpy as np
import onnx
import pytest
from fitted_models import encoder, fit_model, people
from onnx import numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ML.compiler.proof import Different

pytestmark = pytest.mark.slow

MODELS = {
    "classifier": (lambda: HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5), "classification"),
    "regressor": (lambda: HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=5), "regression"),
    "forest": (lambda: RandomForestClassifier(4, random_state=0), "classification"),
}


def model(name):
    make, task = MODELS[name]
    return fit_model(make_pipeline(encoder(), make()), people(200, classes=3 * (task == "classification")), task)


def planted(operator, attribute, change):
    """Return a function that changes an attribute of all nodes of a kind."""

    def into(data):
        graph, changed = onnx.load_from_string(data), 0
        for node in graph.graph.node:
            for found in node.attribute:
                if node.op_type == operator and found.name == attribute:
                    value = change(onnx.helper.get_attribute_value(found))
                    found.CopyFrom(onnx.helper.make_attribute(attribute, value))
                    changed += 1
        assert changed
        return graph.SerializeToString()

    return into


def tensor(change):
    return lambda value: numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(value))))


def without_float32(data):
    """Remove the forest's cast to float32 and back."""
    graph = onnx.load_from_string(data)
    for node in graph.graph.node:
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT:
            node.attribute[0].i = onnx.TensorProto.DOUBLE
    return graph.SerializeToString()


def all_float32(data):
    """Round each constant to float32."""
    graph = onnx.load_from_string(data)
    for constant in graph.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype == np.float64:
            rounded = values.astype(np.float32).astype(np.float64)
            constant.CopyFrom(numpy_helper.from_array(rounded, constant.name))
    return graph.SerializeToString()


def last_of_ties(data):
    """Predict the last of several classes with equal sums."""
    graph = onnx.load_from_string(data)
    for node in graph.graph.node:
        if node.op_type == "ArgMax":
            node.attribute.append(onnx.helper.make_attribute("select_last_index", 1))
    return graph.SerializeToString()


SPLITS_IN_FLOAT32 = planted("TreeEnsemble", "nodes_splits", tensor(lambda v: v.astype(np.float32).astype(np.float64)))
LESS = planted("TreeEnsemble", "nodes_modes", tensor(lambda v: v + np.uint8(1)))
MISSING = planted("TreeEnsemble", "nodes_missing_value_tracks_true", lambda v: [1 - int(x) for x in v])
UNKNOWN_AS_ZERO = planted("LabelEncoder", "default_tensor", tensor(np.zeros_like))
LEAVES_IN_FLOAT32 = planted("TreeEnsemble", "leaf_weights", tensor(lambda v: v.astype(np.float32).astype(np.float64)))


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_as_it_is_passes(name):
    proof = model(name).proven()
    assert proof.rows > 2500 and proof.difference < 1e-10


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("classifier", SPLITS_IN_FLOAT32),
        ("regressor", SPLITS_IN_FLOAT32),
        ("classifier", LESS),
        ("regressor", LESS),
        ("classifier", MISSING),
        ("regressor", MISSING),
        ("forest", MISSING),
        ("classifier", UNKNOWN_AS_ZERO),
        ("regressor", UNKNOWN_AS_ZERO),
        ("forest", UNKNOWN_AS_ZERO),
        ("forest", last_of_ties),
        ("forest", without_float32),
        ("classifier", LEAVES_IN_FLOAT32),
        ("regressor", LEAVES_IN_FLOAT32),
    ],
)
def test_a_planted_fault_is_caught(name, fault):
    with pytest.raises(Different):
        model(name).proven(fault)


def test_a_forest_that_takes_less_for_less_or_equal_is_caught():
    """Its splits lie between two values, so that only rows with the split's own float32 value reveal the error."""
    table = {"n": [str(i) for i in range(40)], "y": ["a", "b", "a", "b"] * 10}
    found = fit_model(RandomForestClassifier(3, random_state=0), table, "classification")
    assert found.proven().rows > 100
    with pytest.raises(Different):
        found.proven(LESS)


def test_constants_in_float32_are_caught():
    scaled = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    table = {name: cells for name, cells in people(classes=2).items() if name not in ("town", "grade")}
    found = fit_model(scaled, table, "classification")
    found.proven()
    with pytest.raises(Different):
        found.proven(all_float32)


def unguarded(data):
    """A forest that accepts values too large for float32."""
    graph = onnx.load_from_string(data)
    for node in graph.graph.node:
        if node.op_type == "IsInf":
            node.attribute.extend(onnx.helper.make_attribute(f"detect_{end}", 0) for end in ("negative", "positive"))
    return graph.SerializeToString()


def test_the_proof_catches_predictions_for_rows_that_the_original_refuses():
    with pytest.raises(Different, match="The compiled form predicts some .* that the original does not"):
        model("forest").proven(unguarded)
