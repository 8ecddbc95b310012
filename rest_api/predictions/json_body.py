"""Predictions for rows in a JSON body, `{"instances": [...]}`."""

from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from ML.config.config import settings
from ML.errors import Invalid
from rest_api.answers import prediction
from rest_api.http import bodies, negotiation, work
from rest_api.http.content_types import check_content_type
from rest_api.http.responses import Json
from rest_api.http.routes import request_body
from rest_api.predictions import csv_answers
from rest_api.predictions.answering import predict, take
from rest_api.serving.batches import Batches

PARAMETERS = {"type": "object", "properties": {"probabilities": {"type": "boolean"}}}
"""The parameters of a request in OpenAPI."""

BODY = request_body(
    {
        "application/json": {
            "type": "object",
            "required": ["instances"],
            "properties": {
                "instances": {"type": "array", "minItems": 1, "items": {"type": ["object", "array"]}},
                "parameters": PARAMETERS,
            },
        }
    }
)
"""The request body in OpenAPI."""

BYTES_PER_ROW = 16
"""Rough size of a prediction in an answer, to decide whether rendering needs a thread."""


async def answer(request: Request, model: str) -> Response:
    """Return the predictions as JSON, or as CSV if the client prefers it.

    The predictor is taken before the body is read: the version that checks the rows also predicts them. Admission is
    checked here, so that an overloaded server reads no body, and again in `predict` once the number of rows is known.
    """
    live = await take(request, model)
    batches: Batches = request.app.batches
    batches.check(live)
    check_content_type(request.scope, b"application/json")
    render = csv_answers.render if negotiation.csv_wanted(request.scope) else json_response
    body = await bodies.read(request)
    if not body:
        message = 'the body is empty; send {"instances": [{column: value, ...}, ...]}'
        raise Invalid.at(msg=message, type="json_invalid", input="")
    if len(body) <= work.INLINE_BYTES:  # the usual request: parsed and rendered here, without further coroutines
        parsed = live.instances.parse(body, settings().max_rows)
        predicted = await predict(request, live, parsed.columns, parsed.rows, parsed.probabilities)
        return render(prediction(live.card, predicted, parsed.unused))
    parsed = await work.run(len(body), live.instances.parse, body, settings().max_rows)
    predicted = await predict(request, live, parsed.columns, parsed.rows, parsed.probabilities)
    size = max(len(body), BYTES_PER_ROW * parsed.rows)
    return await work.run(size, render, prediction(live.card, predicted, parsed.unused))


def json_response(fields: dict[str, Any]) -> Response:
    """Return the fields as JSON. A predicted NaN becomes null, because JSON has no NaN."""
    return Json(to_json(fields, inf_nan_mode="null"))
