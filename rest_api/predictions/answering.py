"""From a body to an answer: the predictor is taken first, so that one version checks the rows and answers them."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from ML.config.config import settings
from ML.errors import Invalid, NotReady
from ML.prediction.answers import Answer
from ML.prediction.predictor import Predictor
from ML.schema import csv_rows
from ML.schema.target import check_target
from ML.tables import reading
from ML.tables.csv_table import Table
from ML.versions.card import Card
from rest_api.answers import prediction, score_line
from rest_api.http import bodies, negotiation, work
from rest_api.http.content_types import check_content_type
from rest_api.http.forms import multipart
from rest_api.http.responses import Json
from rest_api.predictions import csv_answers
from rest_api.serving.batches import Batches
from rest_api.serving.job_queue import Columns
from rest_api.serving.live_models import LiveModels

Fields = Callable[[Card, Answer, list[str]], dict[str, Any]]

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["instances"],
                    "properties": {
                        "instances": {"type": "array", "minItems": 1, "items": {"type": ["object", "array"]}},
                        "parameters": {"type": "object", "properties": {"probabilities": {"type": "boolean"}}},
                    },
                }
            }
        },
    }
}


FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
    "type": "object", "required": ["csv_file"], "properties": {
        "csv_file": {"type": "string", "contentMediaType": "application/octet-stream", "description": "A table"},
        "target_variable": {"type": "string", "default": "", "description": "The target, if it shall score them"},
        "model": {"type": "string", "default": "", "description": "A module of ML/src; the default model if left out"},
        "probabilities": {"type": "boolean", "default": False},
    }}}}}}  # fmt: skip


TRAIN_FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
    "type": "object", "required": ["csv_file", "target_variable"], "properties": {
        "csv_file": {"type": "string", "contentMediaType": "application/octet-stream",
                     "description": "A table with a header: CSV, `;` or tab separated, gzip'd or not"},
        "target_variable": {"type": "string", "description": "The column to learn to predict", "examples": ["species"]},
        "model": {"type": "string", "default": "", "description": "A module of ML/src; the default model if left out"},
        "force": {"type": "boolean", "default": False,
                  "description": "Train what was trained before, and make live what scores worse"},
    }}}}}}  # fmt: skip


async def take(request: Request, model: str) -> Predictor:
    """The live predictor of a model, which the log line names."""
    found: LiveModels = request.app.live
    live = found.fresh.get(model) or await found.take(model)
    request.scope["log"].version = live.name
    return live


async def ready(request: Request) -> Predictor:
    """The default model's predictor, once it has answered its check rows. Raises NotReady; also before the end."""
    if request.app.state.draining:
        raise NotReady("The server is about to end; it accepts no more in SHUTDOWN_DELAY seconds")
    live: Predictor = await request.app.live.take(settings().default_model)
    return live


async def of_json(request: Request, model: str, fields: Fields = prediction) -> Response:
    """The answer to `{"instances": [...]}`, with these fields."""
    live = await take(request, model)
    batches: Batches = request.app.batches
    batches.check(live)
    check_content_type(request.scope, b"application/json")
    as_csv = fields is prediction and negotiation.csv_wanted(request.scope)
    body = await bodies.read(request)
    if not body:
        message = 'the body is empty; send {"instances": [{column: value, ...}, ...]}'
        raise Invalid.at("body", msg=message, type="json_invalid", input="")
    render = csv_answers.render if as_csv else _response
    if len(body) <= work.INLINE_BYTES:  # the usual request, without further coroutines
        asked = live.instances.parse(body, settings().max_rows)
        answer = await predict(request, live, asked.columns, asked.rows, asked.probabilities)
        return render(fields(live.card, answer, asked.unused))
    asked = await work.run(len(body), live.instances.parse, body, settings().max_rows)
    answer = await predict(request, live, asked.columns, asked.rows, asked.probabilities)
    return await work.run(max(len(body), 16 * asked.rows), render, fields(live.card, answer, asked.unused))


async def of_form(request: Request) -> Response:
    """The answer to a CSV file in a form, with its score where the target is in it."""
    as_csv = negotiation.csv_wanted(request.scope)
    form = await read_form(request)
    data, target = form.file("csv_file"), form.text("target_variable")
    live = await take(request, form.text("model") or settings().default_model)
    batches: Batches = request.app.batches
    batches.check(live)
    if target not in ("", live.target.name):
        said = f"version {live.name} predicts {live.target.name}, not {target}"
        raise Invalid.at("body", "target_variable", msg=said, type="target_invalid", input=target)
    size = work.size_of(data)
    found, columns, labels = await work.run(size, _read, live, data, target)
    answer = await predict(request, live, columns, len(columns[0]), form.flag("probabilities"))
    fields = prediction(live.card, answer, live.schema.unused([*found.header, *found.unnamed], live.target.name))
    size = max(len(data), 16 * len(columns[0]))
    if as_csv:
        return await work.run(size, csv_answers.render, fields)
    return await work.run(size, _scored, live, answer, labels, fields)


async def read_form(request: Request) -> multipart.Form:
    """Return the form in a body. Raises WrongContentType and Broken."""
    content_type = check_content_type(request.scope, b"multipart/form-data")
    body = await bodies.read(request)
    return await work.run(len(body), multipart.parse, body, content_type)


def _read(live: Predictor, data: bytes, target: str) -> tuple[Table, Sequence[Sequence[Any]], Sequence[str] | None]:
    found = reading.read(data, settings().max_body_bytes)
    if target:
        check_target(found, target)
    return found, *csv_rows.from_table(live.schema, found, live.target.name, settings().max_rows)


def _scored(live: Predictor, answer: Answer, labels: list[str] | None, fields: dict[str, Any]) -> Response:
    """The fields of a TablePrediction; the score is over the rows that have a target."""
    rows = len(answer.predictions)
    head = {"status": "Predictions are success", "code": 200, "output": f"{rows} predictions", "rows": rows}
    known, truth = live.target.known(labels or ())
    if known:
        name = "accuracy" if live.target.task == "classification" else "r2"
        value = live.score([answer.predictions[row] for row in known], truth)
        head |= {"output": score_line("Test", name, value), name: value}
    return _response(head | fields)


def _response(fields: dict[str, Any]) -> Response:
    # JSON has no NaN: a model that predicts one answers null.
    return Json(to_json(fields, inf_nan_mode="null"))


async def predict(request: Request, live: Predictor, columns: Columns, rows: int, probabilities: bool) -> Answer:
    """Return the answer for converted rows, a sequence for each column. Callers share calls of the model.

    Every route gets its answers here. Raises RuntimeError unless there is one prediction for each row.
    """
    batches: Batches = request.app.batches
    answer = await batches.predict(live, columns, rows, probabilities)
    if len(answer.predictions) != rows:
        raise RuntimeError(f"{live.name} has {len(answer.predictions)} predictions for {rows} rows")
    return answer
