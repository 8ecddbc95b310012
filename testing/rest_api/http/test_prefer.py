"""The Prefer header, as RFC 7240 defines it."""

import pytest

from rest_api.http import prefer


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["respond-async"], 0),
        (["respond-async, wait=10"], 10),
        (["wait=10", "respond-async"], 10),
        (["Respond-Async; x=1,WAIT=5"], 5),
        (['wait="7"'], 7),
        (["wait=3, wait=9"], 3),
        (["return=minimal"], None),
        (["respond-async, wait=soon"], 0),
        (["wait=-1"], None),
        (["wait=٣, handling=lenient"], None),
        (["wait=99999999999999999999"], None),
    ],
)
def test_how_long_a_caller_waits(headers, seconds):
    assert prefer.read(headers).seconds == seconds


@pytest.mark.parametrize(
    ("header", "early", "applied"),
    [
        ("respond-async", True, "respond-async"),
        ("respond-async", False, None),
        ("respond-async, wait=10", True, "respond-async, wait=10"),
        ("respond-async, wait=10", False, "wait=10"),
        ("wait=1", True, "wait=1"),
        ("handling=strict", False, None),
    ],
)
def test_only_applied_preferences_are_reported(header, early, applied):
    assert prefer.read([header]).applied(early).get("Preference-Applied") == applied
