"""Learn a schema from a training table."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ML.errors import Invalid
from ML.schema import cells
from ML.schema.csv_rows import convert
from ML.schema.schema import Column, Schema, Value

FREQUENT = 0.05
"""Share of the rows from which on a text is an example: it then identifies no row."""
QUANTILES = (0.5, 0.1, 0.3, 0.7, 0.9)


def learn(names: Sequence[str], table: Sequence[Sequence[str]]) -> tuple[Schema, pd.DataFrame]:
    """Return the schema of a training table (a list of text cells per feature), and its rows for the pipeline.

    Raise Invalid for a number too large for a float, and for a table without features.
    """
    columns, parts, empty = [], [], []
    errors: list[dict[str, Any]] = []
    for name, part in zip(names, table, strict=True):
        learned = cells.learn(part)
        if learned is None:
            empty.append(name)
            continue
        column = Column(name=name, kind=learned[0], words=tuple(learned[1]))
        values = convert(column, part, 1, errors)
        examples = _examples(column, values) if not errors else ()
        columns.append(column.model_copy(update={"examples": examples, "gaps": any(v != v for v in values)}))
        parts.append(values)
    if errors:
        raise Invalid(errors)
    if not columns:
        raise Invalid.at(type="csv_invalid", msg="the table has no column to learn from besides the target")
    schema = Schema(columns=tuple(columns), ignored=tuple(empty))
    return schema, schema.frame(parts)


def _examples(column: Column, values: Sequence[Any]) -> tuple[Value, ...]:
    """Return five values that identify no row: rounded quantiles, the median first, or frequent words."""
    present = [value for value in values if value == value]
    if column.kind == "text":
        common = [
            text for text, count in Counter(present).most_common(5) if count > 1 and count >= FREQUENT * len(present)
        ]
        return tuple((common or ["text"])[i % max(len(common), 1)] for i in range(5))
    if column.kind == "flag":
        words = {"true": True, "false": False, "1": 1, "0": 0}
        usual = round(sum(present) / len(present))
        return tuple(words.get(word, word) for word in (column.words[(usual + i) % 2] for i in range(5)))
    # Quarters, because the difference of two large floats may be too large for a float.
    quantiles = (4 * np.quantile(np.divide(present, 4), QUANTILES)).tolist()
    if column.kind == "date":
        return tuple(str(np.datetime64(round(value), "D")) for value in quantiles)
    rounded = [_rounded(value) for value in quantiles]
    return tuple(map(int, rounded)) if all(value.is_integer() for value in present) else tuple(rounded)


def _rounded(value: float) -> float:
    """Round to three digits, so that the value identifies no row. The largest floats would overflow and stay."""
    rounded = float(f"{value:.3g}")
    return rounded if math.isfinite(rounded) else value
