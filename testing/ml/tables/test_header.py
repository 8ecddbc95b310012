"""The model's learned columns decide whether a CSV has a header."""

import pytest

from ML.errors import Invalid
from ML.tables import header as headerless

NUMBERED = ["0", "1"]


def read(text, names, header=None):
    table, named = headerless.read(text.encode(), names, "kind", 10**6, header)
    return table.header, [row for _, chunk in table.chunks() for row in zip(*chunk, strict=True)], named


@pytest.mark.parametrize(
    ("text", "names", "wanted"),
    [
        ("5,red\n6,blue\n", ["size", "colour"], (["size", "colour"], [("5", "red"), ("6", "blue")], False)),
        ("colour,size\nred,5\n", ["size", "colour"], (["colour", "size"], [("red", "5")], True)),
        ("kind,colour,size\n,red,5\n", ["size", "colour"], (["kind", "colour", "size"], [("", "red", "5")], True)),
        ("colour\nred\n", ["size", "colour"], (["colour"], [("red",)], True)),
        ("5;red\n", ["size", "colour"], (["size", "colour"], [("5", "red")], False)),
        ('5,"a;b;c"\n', ["size", "colour"], (["size", "colour"], [("5", "a;b;c")], False)),
        ("\ufeff5,red", ["size", "a,b"], (["size", "a,b"], [("5", "red")], False)),
        ("3,4\n", NUMBERED, (NUMBERED, [("3", "4")], False)),
    ],
)
def test_rows_are_distinguished_from_a_header(text, names, wanted):
    assert read(text, names) == wanted


def test_numbers_that_are_names_as_well_are_asked_about():
    with pytest.raises(Invalid, match="header=present, or absent"):
        read("0,1\n5,6\n", NUMBERED)
    assert read("0,1\n5,6\n", NUMBERED, header=True) == (NUMBERED, [("5", "6")], True)
    assert read("0,1\n5,6\n", NUMBERED, header=False) == (NUMBERED, [("0", "1"), ("5", "6")], False)


def test_the_first_hundred_ragged_rows_are_listed_and_the_others_counted():
    with pytest.raises(Invalid) as caught:
        read("1,2\n" + "1\n" * 100_000, ["a", "b"])
    assert (len(caught.value.errors), caught.value.count) == (100, 100_000)
