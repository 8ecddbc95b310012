"""Where in a form an error in a table is: the table itself knows rows and columns, but no fields."""

from typing import Any

from ML.errors import Invalid


def in_form(error: Invalid, target: str) -> Invalid:
    """Return the exception with the field of the form in front of each place."""
    return Invalid([placed(each, target) for each in error.errors], error.count, error.whole)


def placed(error: dict[str, Any], target: str) -> dict[str, Any]:
    """Return the error with its field. One about the target as a whole is about `target_variable`, which names it."""
    loc = error["loc"]
    return {**error, "loc": ["target_variable"] if loc == [target] else ["csv_file", *loc]}
