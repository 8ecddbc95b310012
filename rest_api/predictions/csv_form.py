"""Predictions for a table in a form, and their score if the table includes the target."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.answers import Answer
from ML.prediction.predictor import Predictor
from ML.schema import csv_rows
from ML.schema.target import check_target
from ML.tables import reading
from ML.tables.csv_table import Table
from rest_api.answers import prediction, score_line
from rest_api.http import bodies, negotiation, work
from rest_api.http.content_types import check_content_type
from rest_api.http.forms import multipart
from rest_api.http.forms.places import in_form
from rest_api.http.routes import request_body
from rest_api.predictions import csv_answers
from rest_api.predictions.answering import predict, take
from rest_api.predictions.json_body import BYTES_PER_ROW, json_response
from rest_api.serving.batches import Batches

FORM = request_body({"multipart/form-data": {
    "type": "object", "required": ["csv_file"], "properties": {
        "csv_file": {"type": "string", "contentMediaType": "application/octet-stream", "description": "A table"},
        "target_variable": {"type": "string", "default": "",
                            "description": "The target column, to score the predictions"},
        "model": {"type": "string", "default": "",
                  "description": "A module of ML/src; the default model if left out"},
        "probabilities": {"type": "boolean", "default": False},
    }}})  # fmt: skip
"""The request body in OpenAPI."""


async def read_form(request: Request) -> multipart.Form:
    """Return the form in a request body. Raises WrongContentType and Broken."""
    content_type = check_content_type(request.scope, b"multipart/form-data")
    body = await bodies.read(request)
    return await work.run(len(body), multipart.parse, body, content_type)


async def answer(request: Request) -> Response:
    """Return the predictions and their score as JSON, or the predictions alone as CSV if the client prefers it."""
    as_csv = negotiation.csv_wanted(request.scope)
    form = await read_form(request)
    data, target = form.file("csv_file"), form.text("target_variable")
    live = await take(request, form.text("model") or settings().default_model)
    batches: Batches = request.app.batches
    batches.check(live)
    _check_target_name(live, target)
    table, columns, labels = await work.run(work.size_of(data), _read_rows, live, data, target)
    rows = len(columns[0])
    predicted = await predict(request, live, columns, rows, form.flag("probabilities"))
    unused = live.schema.unused([*table.header, *table.unnamed], live.target.name)
    fields, size = prediction(live.card, predicted, unused), max(len(data), BYTES_PER_ROW * rows)
    if as_csv:
        return await work.run(size, csv_answers.render, fields)
    return await work.run(size, _scored_response, live, predicted, labels, fields)


def _check_target_name(live: Predictor, target: str) -> None:
    """Raise Invalid if the form names another target than the one that the version predicts."""
    if target not in ("", live.target.name):
        message = f"version {live.name} predicts {live.target.name}, not {target}"
        raise Invalid.at("target_variable", msg=message, type="target_invalid", input=target)


def _read_rows(
    live: Predictor, data: bytes, target: str
) -> tuple[Table, Sequence[Sequence[Any]], Sequence[str] | None]:
    """Return the table, its converted columns and, if it has the target, the labels as text."""
    try:
        table = reading.read(data, settings().max_body_bytes)
        if target:
            check_target(table, target)
        return table, *csv_rows.from_table(live.schema, table, live.target.name, settings().max_rows)
    except Invalid as error:
        raise in_form(error, live.target.name) from None


def _scored_response(
    live: Predictor, predicted: Answer, labels: Sequence[str] | None, fields: dict[str, Any]
) -> Response:
    """Return a TablePrediction as JSON. Its score covers the rows with a known target."""
    rows = len(predicted.predictions)
    head = {"status": "Predictions are success", "code": 200, "output": f"{rows} predictions", "rows": rows}
    scored_rows, truth = _known_targets(live, labels or ())
    if scored_rows:
        name = "accuracy" if live.target.task == "classification" else "r2"
        value = live.score([predicted.predictions[row] for row in scored_rows], truth)
        head |= {"output": score_line("Test", name, value), name: value}
    return json_response(head | fields)


def _known_targets(live: Predictor, labels: Sequence[str]) -> tuple[Sequence[int], Sequence[Any]]:
    """Return the places of the rows that have a target, and their targets. Raise Invalid."""
    try:
        return live.target.known(labels)
    except Invalid as error:
        raise in_form(error, live.target.name) from None
