"""Estimating and reading a JSON body takes time in proportion to its size, for any content."""

import time
from contextlib import suppress

import pytest
from json_rows import make_parser

from ML.config.config import settings
from ML.errors import Invalid, TooLarge
from ML.schema import json_size

LEARNED = make_parser()
MB = 2**20
STARTS = [b"", b'{"instances": [', b'{"instances": ["', b'{"parameters": {"a": "']
SHAPES = [b'"', b'\\"', b"\\", b"[", b"{", b" ", b'"\\', b'"instances" ', b'"instances":', b'[" ', b'{"a":"]"},',
          b'[[1],"[" ],', b"1,", b'"",']  # fmt: skip


def seconds(body):
    """Return the CPU time in seconds."""
    began = time.thread_time()
    for read in (LEARNED.parse, lambda body, most: json_size.read(body, most, 7)):
        with suppress(Invalid, TooLarge):
            read(body, 10**6)
    return time.thread_time() - began


@pytest.mark.slow
@pytest.mark.usefixtures("without_coverage")
@pytest.mark.parametrize("start", STARTS, ids=repr)
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_the_time_grows_in_proportion_to_the_body(shape, start):
    small, large = (seconds(start + shape * (size * MB // len(shape))) for size in (2, 16))
    # What takes time in proportion to the square takes minutes for so much.
    assert large < max(30 * small, 5)


@pytest.mark.parametrize(
    ("body", "outside"),
    [
        (b'["[", "]"]', b"[, ]"),
        (b'["\\"[", 1]', b"[, 1]"),
        (b'["\\\\", [1]]', b"[, [1]]"),
        (b'["\\\\\\"", [1]]', b"[, [1]]"),
        (b'["open', b"["),
    ],
)
@pytest.mark.parametrize("block", [1, 3, 64])
def test_brackets_in_strings_are_text(body, outside, block, monkeypatch):
    monkeypatch.setattr(json_size, "BLOCK", block)
    assert b"".join(json_size.outside_strings(body)) == outside


def test_values_are_bounded_by_the_largest_body(monkeypatch):
    monkeypatch.setenv("MAX_BODY_MB", "1")
    settings.cache_clear()
    try:
        assert len(json_size.read(b"[%s]" % b",".join([b"1.5"] * 80_000), 10**6, 1)) == 80_000
        with pytest.raises(TooLarge, match="raise MAX_BODY_MB"):
            json_size.read(b"[%s]" % b",".join([b"1.5"] * 90_000), 10**6, 1)
    finally:
        settings.cache_clear()
