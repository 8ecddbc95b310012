"""Columns that are filled piece by piece contain every value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ML.tables.columns import Columns, Texts

PIECES = st.lists(st.lists(st.text(max_size=5) | st.none() | st.just(math.nan), min_size=1, max_size=9), min_size=1)


@given(PIECES, st.integers(-3, 40), st.integers(-3, 40), st.sampled_from([None, 1, 2, -1]))
def test_texts_are_a_sequence(pieces, start, stop, step):
    texts = Texts("gap")
    for piece in pieces:
        texts.extend(piece)
    wanted = [value if isinstance(value, str) and value else "gap" for piece in pieces for value in piece]
    assert list(texts) == wanted and len(texts) == len(wanted)
    assert texts[start:stop:step] == wanted[start:stop:step]
    assert texts[-1] == wanted[-1] and texts[0] == wanted[0]
    with pytest.raises(IndexError):
        texts[len(wanted)]


def test_numbers_are_float64_and_none_is_nan_from_the_second_piece_on():
    columns = Columns(["number", "text", "flag"])
    columns.add([[1, 2.5], ["a", math.nan], [0.0, 1.0]])
    assert columns.parts == [[1, 2.5], ["a", math.nan], [0.0, 1.0]]
    columns.add([[None], ["😀"], [math.nan]])
    assert columns.rows == 3
    np.testing.assert_array_equal(columns.parts[0], [1, 2.5, np.nan])
    np.testing.assert_array_equal(columns.parts[2], [0, 1, np.nan])
    assert columns.parts[1][:1] == ["a"] and columns.parts[1][2] == "😀" and math.isnan(columns.parts[1][1])
