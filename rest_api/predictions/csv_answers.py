"""Predictions as CSV: a header, and a line for each row in their order, with the values that the JSON answer has."""

import csv
import io
from typing import Any

from fastapi import Response
from pydantic_core import to_json


def render(fields: dict[str, Any]) -> Response:
    """Return the fields of a Prediction as `prediction`, and `probability_<class>` for each class if asked for."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    shares = fields.get("probabilities")
    writer.writerow(
        ["prediction", *(f"probability_{cell(label)}" for label in fields["classes"] or ())]
        if shares
        else ["prediction"]
    )
    for row, label in enumerate(fields["predictions"]):
        writer.writerow([cell(label), *map(cell, shares[row])] if shares else [cell(label)])
    headers = {"X-Model": fields["model"], "X-Model-Version": str(fields["model_version"])}
    return Response(out.getvalue(), 200, headers, "text/csv; charset=utf-8; header=present")


def cell(value: Any) -> str:
    """Return a value as its JSON has it, text without quotes; NaN and null are empty."""
    if isinstance(value, str):
        return value
    found = to_json(value, inf_nan_mode="null").decode()
    return "" if found == "null" else found
