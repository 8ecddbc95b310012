"""Encoders of words: what becomes of each category is asked of the encoder itself, whatever its parameters."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from ML.compiled import graph as graphs
from ML.compiled.converters import transformer
from ML.compiled.graph import TREES, Column, Columns, Graph

NEVER = "a word that nobody writes \u2063"
"""Asks what becomes of unknown words; a number that nobody writes does it for numbers."""
NEVER_NUMBER = -8.987654321e250
NONE = -1.0

Asked = tuple[NDArray[np.float64], NDArray[np.float64] | None]
"""Of one column: what its categories become, a row for each, and what unknown ones do, None where they are refused."""


@transformer(OrdinalEncoder, TargetEncoder)
def ordinal(graph: Graph, model: Any, columns: Columns) -> Columns:
    """A number for each category, several where the encoder has one for each class."""
    found = []
    for place, column in enumerate(columns):
        known, unknown = _asked(model, columns, place)
        refused = np.full(known.shape[1], np.nan)
        codes = [
            _code(graph, column, model.categories_[place], values, default)
            for values, default in zip(known.T, refused if unknown is None else unknown, strict=True)
        ]
        if unknown is None:  # a gap that is a category may be coded as NaN, so that the codes do not tell
            _refuse(graph, [_code(graph, column, model.categories_[place], np.zeros(len(known)), np.nan)], [column])
        found += [new for code in codes for new in graphs.columns(code, [column.name])]
    return found


@transformer(OneHotEncoder)
def one_hot(graph: Graph, model: Any, columns: Columns) -> Columns:
    """A column for each category: the word becomes its place, which is compared with all places at once."""
    codes, places, names, refusing = [], [], [], []
    first = 0
    for place, column in enumerate(columns):
        known, unknown = _asked(model, columns, place)
        width = model._n_features_outs[place]
        values = _hot(known[:, first : first + width])
        default = np.nan if unknown is None else _hot(unknown[None, first : first + width])[0]
        codes.append(_code(graph, column, model.categories_[place], values, default))
        refusing += [place] if unknown is None else []
        places += [(place, hot) for hot in range(width)]
        names += [column.name] * width
        first += width
    if not places:
        return []
    if refusing:
        _refuse(graph, [codes[place] for place in refusing], [columns[place] for place in refusing])
    coded = graph.add("Concat", *codes, axis=1) if len(codes) > 1 else codes[0]
    if len(codes) > 1:
        coded = graph.add("Gather", coded, graph.constant([place for place, _ in places], np.int64), axis=1)
    same = graph.add("Equal", coded, graph.constant([float(hot) for _, hot in places]))
    return graphs.columns(graph.add("Cast", same, to=TensorProto.DOUBLE), names)


def _hot(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place of each row's one, NONE where it has none."""
    if not rows.shape[1]:
        return np.full(len(rows), NONE)
    return np.where(rows.any(axis=1), rows.argmax(axis=1), NONE)


def _asked(model: Any, columns: Columns, place: int) -> Asked:
    """What the encoder makes of each category of a column, and of one that it does not know."""
    never = NEVER if columns[place].text else NEVER_NUMBER
    known = _shown(model, columns, place, list(model.categories_[place]))
    wide = isinstance(model, OneHotEncoder)
    width = known.shape[1] // len(columns)
    own = slice(None) if wide else slice(place * width, (place + 1) * width)
    try:
        unknown = _shown(model, columns, place, [never])
    except ValueError:
        return known[:, own], None
    return known[:, own], unknown[0, own]


def _shown(model: Any, columns: Columns, place: int, values: list[Any]) -> NDArray[np.float64]:
    """The encoder's rows for these values of one column; the other columns show their first category."""
    parts = [[categories[0]] * len(values) for categories in model.categories_]
    parts[place] = values
    kinds = [object if column.text else float for column in columns]
    names = getattr(model, "feature_names_in_", range(len(columns)))
    series = [pd.Series(part, dtype=kind) for part, kind in zip(parts, kinds, strict=True)]
    shown = pd.DataFrame(dict(enumerate(series))).set_axis(list(names), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown words, which is what is asked
        made = model.transform(shown if hasattr(model, "feature_names_in_") else shown.to_numpy())
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=float)


def _code(graph: Graph, column: Column, categories: Any, values: NDArray[np.float64], default: float) -> str:
    """The column as numbers: a known category's value, or the default; shape (rows, 1)."""
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
    """A guard: in these codes only unknown words became NaN."""
    coded = graph.add("Concat", *codes, axis=1) if len(codes) > 1 else codes[0]
    unknown = graph.add("Cast", graph.add("IsNaN", coded), to=TensorProto.DOUBLE)
    names = ", ".join(column.name for column in columns)
    graph.refuse_unless_zero(unknown, f"a value of {names} is none that it has seen")
