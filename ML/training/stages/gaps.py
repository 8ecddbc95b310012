"""Finds the columns that may be missing in a request."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ML.prediction.predictor import Predictor
from ML.schema.schema import Column

MAX_CELLS = 1_000_000
"""Cells of a table that the model is asked to predict, 8 MB as numbers: enough for 1,000 columns at once."""


def learn(fitted: Predictor, X: pd.DataFrame) -> tuple[Column, ...]:
    """Return the model's columns, each with `gaps` set if it may be missing.

    It may be if it was missing in a row of the training, or if the model predicts the first row without it.
    """
    columns = fitted.schema.columns
    places = [place for place, column in enumerate(columns) if not column.gaps]
    optional = _optional(fitted, X.iloc[0].tolist(), places)
    return tuple(
        column.model_copy(update={"gaps": True}) if place in optional else column
        for place, column in enumerate(columns)
    )


def _optional(fitted: Predictor, row: Sequence[Any], places: Sequence[int]) -> set[int]:
    """Return the places whose values the model can do without.

    Ask for all at once, for half of them where the model refuses, and for twice as many after it predicts. A model
    that needs no value is called twice, one that needs all n values n + log2(n) times.
    """
    optional: set[int] = set()
    most = max(1, MAX_CELLS // len(row))
    size = most
    while places:
        part = places[:size]
        predicts = _predicts_without(fitted, row, part)
        if not predicts and len(part) > 1:
            size = len(part) // 2
            continue
        if predicts:
            optional.update(part)
            size = min(2 * len(part), most)
        places = places[len(part) :]
    return optional


def _predicts_without(fitted: Predictor, row: Sequence[Any], places: Sequence[int]) -> bool:
    """Return whether the model predicts the row without any one of the values at these places."""
    try:
        fitted.predict(_table(fitted, row, [[place] for place in places]))
        if len(places) > 1:
            # A pipeline may fill in a value from the other rows of the table. Here no row has one.
            fitted.predict(_table(fitted, row, [places]))
    except Exception:  # noqa: BLE001 - whatever the pipeline raises, it needs one of these values
        return False
    return True


def _table(fitted: Predictor, row: Sequence[Any], missing: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Return a copy of the row for each list in `missing`, without the values at the places in the list."""
    columns = [[value] * len(missing) for value in row]
    for number, places in enumerate(missing):
        for place in places:
            columns[place][number] = np.nan
    return fitted.schema.frame(columns)
