"""Converters for encoders of categories. They read each category's code from the encoder's own output."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from ML.compiler import graph as graphs
from ML.compiler.converters.registry import transformer
from ML.compiler.graph import TREES, Column, Columns, Graph, Unsupported

UNKNOWN_WORD, UNKNOWN_NUMBER = "an unknown category \u2063", -8.987654321e250
"""Values that no table contains, to read what the encoder makes of unknown ones."""
NO_PLACE = -1.0

MOST_CATEGORIES = 10_000
"""Limit for encoders that compare each row with all categories."""
CELLS = 10_000_000
"""How many numbers an encoder returns at once: 80 MB."""

Rows = NDArray[np.float64]
Pick = Callable[[Rows], Rows]
"""A function from the encoder's output to the codes of one column, shape (rows, codes)."""


@transformer(OrdinalEncoder, TargetEncoder)
def ordinal(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append nodes that map each category to a number, or to one per class if the encoder does."""
    result = []
    for place, column in enumerate(columns):
        known, unknown = _codes(model, columns, place, partial(_own, place, len(columns)), len(columns))
        defaults = np.full(known.shape[1], np.nan) if unknown is None else unknown
        categories = model.categories_[place]
        codes = [_code(graph, column, categories, *pair) for pair in zip(known.T, defaults, strict=True)]
        if unknown is None:  # NaN may also be the code of missing values, so `codes` does not show unknown ones
            _refuse(graph, [_code(graph, column, categories, np.zeros(len(known)), np.nan)], [column])
        result += [new for code in codes for new in graphs.columns(code, [column.name])]
    return result


@transformer(OneHotEncoder)
def one_hot(graph: Graph, model: Any, columns: Columns) -> Columns:
    """Append nodes that map each category to its place, and compare it with all places at once."""
    widths = _widths(model)
    if sum(widths) > MOST_CATEGORIES:
        raise Unsupported(f"OneHotEncoder makes more than {MOST_CATEGORIES:,} columns, too many to compile")
    codes, refusing = [], []
    for place, column in enumerate(columns):
        pick = partial(_hot, sum(widths[:place]), widths[place])
        known, unknown = _codes(model, columns, place, pick, sum(widths))
        default = np.nan if unknown is None else unknown[0]
        codes.append(_code(graph, column, model.categories_[place], known[:, 0], default))
        refusing += [place] if unknown is None else []
    if refusing:
        _refuse(graph, [codes[place] for place in refusing], [columns[place] for place in refusing])
    return _compared(graph, codes, widths, columns) if sum(widths) else []


def _widths(model: Any) -> list[int]:
    """Return how many columns a one-hot encoder makes of each column: one of them stands for all rare categories."""
    count = len(model.categories_)
    dropped = [None] * count if model.drop_idx_ is None else model.drop_idx_
    rare = getattr(model, "infrequent_categories_", [None] * count)  # missing where the encoder groups none
    return [
        len(categories) - (drop is not None) - (0 if group is None else len(group) - 1)
        for categories, drop, group in zip(model.categories_, dropped, rare, strict=True)
    ]


def _compared(graph: Graph, codes: list[str], widths: list[int], columns: Columns) -> Columns:
    """Return a column per place: 1 where the code is that place, else 0."""
    coded = codes[0]
    if len(codes) > 1:
        repeated = graph.constant(np.repeat(np.arange(len(codes)), widths), np.int64)
        coded = graph.add("Gather", graph.add("Concat", *codes, axis=1), repeated, axis=1)
    same = graph.add("Equal", coded, graph.constant(np.concatenate([np.arange(width) for width in widths])))
    names = np.repeat([column.name for column in columns], widths).tolist()
    return graphs.columns(graph.add("Cast", same, to=TensorProto.DOUBLE), names)


def _own(place: int, count: int, rows: Rows) -> Rows:
    """Return the part of the encoder's output that belongs to one column."""
    width = rows.shape[1] // count
    return rows[:, place * width : (place + 1) * width]


def _hot(first: int, width: int, rows: Rows) -> Rows:
    """Return the place of each row's 1 in the output for one column, NO_PLACE without one."""
    own = rows[:, first : first + width]
    places = own.argmax(axis=1) if width else np.zeros(len(rows))
    return np.where(own.any(axis=1), places, NO_PLACE)[:, None]


def _codes(model: Any, columns: Columns, place: int, pick: Pick, width: int) -> tuple[Rows, Rows | None]:
    """Return the codes of each category of a column, and those of an unknown one, None if the encoder refuses it."""
    categories = list(model.categories_[place])
    step = max(1, CELLS // max(1, width))
    parts = [categories[first : first + step] for first in range(0, len(categories), step)]
    codes = np.concatenate([pick(_encoded(model, columns, place, part)) for part in parts])
    unknown = UNKNOWN_WORD if columns[place].text else UNKNOWN_NUMBER
    try:
        return codes, pick(_encoded(model, columns, place, [unknown]))[0]
    except ValueError:
        return codes, None


def _encoded(model: Any, columns: Columns, place: int, values: list[Any]) -> NDArray[np.float64]:
    """Return the encoder's output for values of one column. The other columns have their first category."""
    parts = [[categories[0]] * len(values) for categories in model.categories_]
    parts[place] = values
    kinds = [object if column.text else float for column in columns]
    names = getattr(model, "feature_names_in_", range(len(columns)))
    series = [pd.Series(part, dtype=kind) for part, kind in zip(parts, kinds, strict=True)]
    shown = pd.DataFrame(dict(enumerate(series))).set_axis(list(names), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unknown categories
        output = model.transform(shown if hasattr(model, "feature_names_in_") else shown.to_numpy())
    return np.asarray(output.toarray() if hasattr(output, "toarray") else output, dtype=float)


def _code(graph: Graph, column: Column, categories: Any, values: NDArray[np.float64], default: float) -> str:
    """Return the column as codes, shape (rows, 1): that of a known category, or the default."""
    if column.text:
        pairs: dict[Any, Any] = {
            "" if word != word else str(word): value for word, value in zip(categories, values, strict=True)
        }
        if column.fill:
            pairs[""] = pairs.get(column.fill, default)
        keys = np.array(list(pairs), dtype=object)
    else:
        keys = np.array(categories, dtype=np.float64)
        pairs = dict(zip(keys.tolist(), values, strict=True))
    return graph.add(
        "LabelEncoder",
        graph.one(column),
        domain=TREES,
        keys_tensor=numpy_helper.from_array(keys),
        values_tensor=numpy_helper.from_array(np.array(list(pairs.values()), dtype=np.float64)),
        default_tensor=numpy_helper.from_array(np.array([default], dtype=np.float64)),
    )


def _refuse(graph: Graph, codes: list[str], columns: Columns) -> None:
    """Add a guard that refuses rows with NaN among these codes: only unknown categories have it."""
    coded = graph.add("Concat", *codes, axis=1) if len(codes) > 1 else codes[0]
    unknown = graph.add("Cast", graph.add("IsNaN", coded), to=TensorProto.DOUBLE)
    names = ", ".join(column.name for column in columns)
    graph.refuse_unless_zero(unknown, f"a value of {names} was not in the training data")
