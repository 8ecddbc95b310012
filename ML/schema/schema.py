"""The columns that a model learned. Every request is checked and converted by them."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel

from ML.schema import cells
from ML.tables import names as column_names

REMEDY = "fill it in, or retrain with missing values in this column and an imputer in the pipeline"

Value = bool | int | float | str | None
"""A cell as JSON."""


class Column(BaseModel, frozen=True):
    """One feature. `gaps` says whether values may be missing. `examples` are generated, never rows of the training."""

    name: str
    kind: cells.Kind
    words: tuple[str, ...] = ()
    gaps: bool = True
    examples: tuple[Value, ...] = ()

    @property
    def convert(self) -> Callable[[str], Any]:
        """Return the function that converts a text cell for the pipeline. It raises ValueError."""
        return cells.converter(self.kind, self.words)


class Schema(BaseModel, frozen=True):
    """The features in the order of the training table."""

    columns: tuple[Column, ...]
    ignored: tuple[str, ...] = ()
    """Columns of the training table that were empty."""

    @cached_property
    def names(self) -> list[str]:
        """The features' names, in order."""
        return [column.name for column in self.columns]

    def frame(self, values: Iterable[Sequence[Any]]) -> pd.DataFrame:
        """Return converted values (a sequence per column) as the DataFrame that the pipeline takes."""
        arrays = [_array(column, part) for column, part in zip(self.columns, values, strict=True)]
        if all(column.kind != "text" for column in self.columns):
            return pd.DataFrame(np.column_stack(arrays), columns=self.names, copy=False)
        # Given plain arrays, pandas would convert text columns to its own string type, which is slower.
        return pd.DataFrame({i: pd.Series(array, dtype=array.dtype) for i, array in enumerate(arrays)}).set_axis(
            self.names, axis=1
        )

    @cached_property
    def kinds(self) -> list[cells.Kind]:
        """The kinds of the features, in order."""
        return [column.kind for column in self.columns]

    def unused(self, names: Iterable[str], target: str) -> list[str]:
        """Return the names that are not features of this model: at most 10,000, long ones shortened."""
        known = {*self.names, target}
        unknown = (name for name in names if name not in known)
        return [
            name if len(name) <= column_names.LONGEST else column_names.short(name)
            for name in islice(unknown, column_names.MOST)
        ]

    def examples(self) -> list[dict[str, Any]]:
        """Return generated rows as JSON values. The first has the middle of every column."""
        rows = zip(*(column.examples for column in self.columns), strict=False)
        return [dict(zip(self.names, row, strict=True)) for row in rows]


def _array(column: Column, values: Sequence[Any]) -> NDArray[Any]:
    if column.kind != "text":
        return np.array(values, dtype=float)
    array = np.empty(len(values), dtype=object)
    array[:] = [cells.NAN if value is None else value for value in values]
    return array
