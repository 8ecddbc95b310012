"""Suggestions for misspelt names take ten milliseconds at most, for any names."""

import random
import string
import time

import pytest

from ML.tables.names import Spelling, listed, short

MANY = [f"column_{i}" for i in range(80_000)]


@pytest.mark.parametrize(
    ("name", "candidates", "wanted"),
    [
        ("petal_len", ["petal_length", "sepal"], ["petal_length"]),
        ("Species", ["species"], ["species"]),
        ("specie", [*MANY[:4000], "species"], ["species"]),
        ("x", ["length", "", "😀"], []),
        ("", ["a"], []),
        ("a" * 1001, ["a" * 1001], []),
        ("length", ["length" * 1000, "lenght"], ["lenght"]),
    ],
)
def test_a_name_that_may_be_meant_is_suggested(name, candidates, wanted):
    assert Spelling().similar(name, candidates) == wanted


@pytest.mark.slow
@pytest.mark.usefixtures("without_coverage")
@pytest.mark.parametrize("size", [1, 5, 20, 60, 1000, 40_000])
@pytest.mark.parametrize("alphabet", ["ab", string.ascii_letters])
def test_suggestions_for_all_names_of_an_answer_take_a_moment(size, alphabet):
    chosen = random.Random(1)
    name = "".join(chosen.choices(alphabet, k=size))
    candidates = ["".join(chosen.sample(name, size)) for _ in range(80_000 if size < 100 else 20)]
    spelling, began = Spelling(), time.thread_time()
    for _ in range(100):
        spelling.missing(name, candidates)
    assert time.thread_time() - began < 0.1


def test_long_names_and_long_lists_are_cut():
    assert short("a" * 60) == "a" * 60 and short("a" * 61) == "a" * 60 + "..."
    assert listed(["a", "b"]) == "a, b"
    assert listed(MANY).endswith("column_49 and 79,950 more")
