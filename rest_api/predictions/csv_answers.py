"""Predictions as CSV: a header and one line per row, with the same values as the JSON answer."""

import csv
import io
from typing import Any

from fastapi import Response
from pydantic_core import to_json


def render(fields: dict[str, Any]) -> Response:
    """Return the column `prediction` and, if the fields have probabilities, `probability_<class>` for each class."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    probabilities = fields.get("probabilities")
    names = [f"probability_{cell(label)}" for label in fields["classes"] or ()] if probabilities else []
    writer.writerow(["prediction", *names])
    for row, label in enumerate(fields["predictions"]):
        writer.writerow([cell(label), *map(cell, probabilities[row] if probabilities else ())])
    headers = {"X-Model": fields["model"], "X-Model-Version": str(fields["model_version"])}
    return Response(out.getvalue(), 200, headers, "text/csv; charset=utf-8; header=present")


def cell(value: Any) -> str:
    """Return a value as in JSON, but text without quotes and an empty cell for NaN and null."""
    if isinstance(value, str):
        return value
    text = to_json(value, inf_nan_mode="null").decode()
    return "" if text == "null" else text
