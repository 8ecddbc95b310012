"""The card of a failed training names rows and columns; callers see the fields of the form in front of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ML.versions.card import Card
from rest_api.training import views

COUNT = "too_many_errors"
PLACES = {
    "a cell": ([3, "age"], "number_invalid", ["body", "csv_file", 3, "age"]),
    "a cell of the target": ([3, "body"], "target_invalid", ["body", "csv_file", 3, "body"]),
    "the target": (["body"], "target_invalid", ["body", "target_variable"]),
    "the table": ([], "csv_invalid", ["body", "csv_file"]),
    "a count of further errors": ([], COUNT, ["body"]),
    "a cell on an old card": (["body", "csv_file", 3, "age"], "number_invalid", ["body", "csv_file", 3, "age"]),
    "a count on an old card": (["body"], COUNT, ["body"]),
}


def failed(error: Any) -> Card:
    """Return the card of a failed training whose target has the name that misleads most."""
    return Card(model="m", version=1, origin="upload", target_variable="body", created=datetime.now(UTC), error=error)


@pytest.mark.parametrize(("place", "kind", "shown"), PLACES.values(), ids=PLACES)
def test_a_caller_sees_a_place_in_the_form(place, kind, shown):
    error = {"loc": place, "msg": "wrong", "type": kind, "input": None}
    assert views.reason(failed([error])) == [error | {"loc": shown}]


def test_an_error_without_a_place_stays():
    assert views.reason(failed("out of memory")) == "out of memory"
