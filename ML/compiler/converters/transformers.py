"""Converters for transformers of numbers: scikit-learn's operations, in its order."""

from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectFromModel, SelectKBest, SelectPercentile, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from ML.compiler import graph as graphs
from ML.compiler.converters.registry import transformer
from ML.compiler.graph import Column, Columns, Graph, Origin, Unsupported


@transformer(FunctionTransformer)
def function(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Return the columns as they are. Raise Unsupported for a transformer with a function, which can't be read."""
    if model.func is not None:
        raise Unsupported("FunctionTransformer with a function has no compiled form")
    return columns


@transformer(StandardScaler, RobustScaler)
def standard(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append (x - centre) / scale."""
    robust = isinstance(model, RobustScaler)
    centred, scaled = (model.with_centering, model.with_scaling) if robust else (model.with_mean, model.with_std)
    middle = (model.center_ if robust else model.mean_) if centred else np.zeros(len(columns))
    spread = model.scale_ if scaled else np.ones(len(columns))
    return _scaled(graph, columns, middle, spread)


@transformer(MaxAbsScaler)
def by_largest(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append x / largest."""
    return _clipped(graph, model, _scaled(graph, columns, np.zeros(len(columns)), model.scale_), (-1, 1))


@transformer(MinMaxScaler)
def between(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append the scaling of each column's range to the feature range."""
    scaled = graph.add("Mul", graph.tensor(columns), graph.constant(model.scale_))
    result = _columns_of(columns, graph.add("Add", scaled, graph.constant(model.min_)))
    origins = [_origin(c, -low / s, 1 / s) for c, low, s in zip(columns, model.min_, model.scale_, strict=True)]
    result = [replace(column, origin=origin) for column, origin in zip(result, origins, strict=True)]
    return _clipped(graph, model, result, model.feature_range)


def _scaled(graph: Graph, columns: Columns, middle: Any, spread: Any) -> Columns:
    tensor = graph.tensor(columns)
    if np.any(middle):
        tensor = graph.add("Sub", tensor, graph.constant(middle))
    if np.any(spread != 1):
        tensor = graph.add("Div", tensor, graph.constant(spread))
    origins = [_origin(c, *how) for c, *how in zip(columns, middle, spread, strict=True)]
    return [replace(column, origin=o) for column, o in zip(_columns_of(columns, tensor), origins, strict=True)]


def _origin(column: Column, shift: float, scale: float) -> Origin | None:
    """Return the origin of (x - shift) / scale."""
    origin = column.origin
    return origin and Origin(origin.place, origin.shift + origin.scale * shift, origin.scale * scale)


def _clipped(graph: Graph, model: Any, columns: Columns, ends: Any) -> Columns:
    if not model.clip:
        return columns
    low, high = map(graph.constant, ends)
    return _columns_of(columns, graph.add("Clip", graph.tensor(columns), low, high))


@transformer(SimpleImputer)
def imputed(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append nodes that fill in missing numbers. For text, the encoder gets the word that replaces a missing one."""
    if not (isinstance(model.missing_values, float) and np.isnan(model.missing_values)):
        raise Unsupported("SimpleImputer for other values than missing ones has no compiled form")
    kept = [(c, fill) for c, fill in zip(columns, model.statistics_, strict=True) if fill == fill]
    numbers = [(c, fill) for c, fill in kept if not c.text]
    filled = {}
    if numbers:
        tensor = graph.tensor([c for c, _ in numbers])
        fills = graph.constant([float(fill) for _, fill in numbers])
        made = _columns_of([c for c, _ in numbers], graph.add("Where", graph.add("IsNaN", tensor), fills, tensor))
        filled = {c: replace(new, origin=c.origin) for (c, _), new in zip(numbers, made, strict=True)}
    done = [replace(c, fill=c.fill or str(fill)) if c.text else filled[c] for c, fill in kept]
    return done + _indicated(graph, model, columns)


def _indicated(graph: Graph, model: Any, columns: Columns) -> Columns:
    if not model.add_indicator or not len(model.indicator_.features_):
        return []
    shown = [columns[place] for place in model.indicator_.features_]
    return _columns_of(shown, graph.add("Cast", graph.add("IsNaN", graph.tensor(shown)), to=TensorProto.DOUBLE))


@transformer(Normalizer)
def normal(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append each row divided by its length; a row of zeros stays as it is."""
    tensor, axis = graph.tensor(columns), graph.constant([1], np.int64)
    graph.refuse_unless_finite(tensor)
    if model.norm == "l2":
        length = graph.add("Sqrt", graph.add("ReduceSum", graph.add("Mul", tensor, tensor), axis))
    else:
        length = graph.add("ReduceSum" if model.norm == "l1" else "ReduceMax", graph.add("Abs", tensor), axis)
    none = graph.add("Equal", length, graph.constant(0.0))
    return _columns_of(columns, graph.add("Div", tensor, graph.add("Where", none, graph.constant(1.0), length)))


@transformer(PCA, TruncatedSVD)
def projected(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append the projection on the components."""
    tensor, weights = graph.tensor(columns), model.components_.T
    graph.refuse_unless_finite(tensor)
    if isinstance(model, PCA):
        tensor = graph.add("Sub", tensor, graph.constant(model.mean_))
        if model.whiten:
            weights = weights / np.sqrt(np.maximum(model.explained_variance_, np.finfo(float).eps))
    return graphs.columns(graph.add("MatMul", tensor, graph.constant(weights)), ["component"] * weights.shape[1])


@transformer(PolynomialFeatures)
def polynomial(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append the products of columns: the first factors of all, times the second, and so on."""
    tensor, powers = graph.tensor(columns), model.powers_
    graph.refuse_unless_finite(tensor)
    ones = graph.add("Sub", graph.one(columns[0]), graph.one(columns[0]))
    padded = graph.add("Concat", tensor, graph.add("Add", ones, graph.constant(1.0)), axis=1)
    factors = [np.repeat(np.arange(len(columns)), row) for row in powers]
    depth = max(1, int(powers.sum(axis=1).max()))
    places = np.array([[*row, *[len(columns)] * (depth - len(row))] for row in factors])
    product = graph.add("Gather", padded, graph.constant(places[:, 0], np.int64), axis=1)
    for factor in places.T[1:]:
        product = graph.add("Mul", product, graph.add("Gather", padded, graph.constant(factor, np.int64), axis=1))
    return graphs.columns(product, ["product"] * len(powers))


@transformer(SelectKBest, SelectPercentile, SelectFromModel, VarianceThreshold)
def selected(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Return the selected columns."""
    return [column for column, kept in zip(columns, model.get_support(), strict=True) if kept]


def _columns_of(columns: Columns, tensor: str) -> Columns:
    """Return the columns of a tensor that a node made column by column."""
    return graphs.columns(tensor, [column.name for column in columns])
