"""From a body to an answer: the predictor is taken first, so that one version checks the rows and answers them."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pandas as pd
from fastapi import Request, Response
from pydantic_core import to_json

from ML import table
from ML.config.config import settings
from ML.errors import Invalid
from ML.fitting import check_target
from ML.predictor import Answer, Predictor
from rest_api.answers import measured, prediction
from rest_api.routing import check_content_type

T = TypeVar("T")

SMALL = 32 * 1024
"""Bytes that are parsed on the event loop in a millisecond or two; more go to a thread."""

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


async def take(request: Request, model: str) -> Predictor:
    """The live predictor of a model, which the log line names."""
    live: Predictor = await request.app.state.live.take(model)
    request.scope["log"]["version"] = live.name
    return live


async def of_json(request: Request, model: str) -> Response:
    """The answer to `{"instances": [...]}`."""
    live = await take(request, model)
    check_content_type(request, "application/json")
    body = await request.body()
    asked = await _run(len(body), live.instances.parse, body, settings().max_rows)
    answer = await _predict(request, live.predict, asked.frame, asked.probabilities)
    fields = prediction(live.card, answer, asked.unused)
    return await _response(len(body), fields)


async def of_table(request: Request, live: Predictor, data: bytes, target: str | None, probabilities: bool) -> Response:
    """The answer to a CSV file, with its score where the target is in it."""
    if target not in (None, live.target.name):
        raise Invalid.at(
            "body",
            "target_variable",
            msg=f"version {live.name} predicts {live.target.name}, not {target}",
            type="target_invalid",
            input=target,
        )
    found, X, labels = await _run(len(data), _read, live, data, target)
    answer = await _predict(request, live.predict, X, probabilities)
    unused = live.schema.unused([*found.header, *found.unnamed], live.target.name)
    fields = prediction(live.card, answer, unused) | _scored(live, answer.predictions, labels)
    return await _response(len(data), fields)


def _read(live: Predictor, data: bytes, target: str | None) -> tuple[table.Table, pd.DataFrame, list[str] | None]:
    found = table.read(data, settings().max_body_bytes)
    if target:
        check_target(found, target)
    return found, *live.schema.from_table(found, live.target.name, settings().max_rows)


def _scored(live: Predictor, predictions: list[Any], labels: list[str] | None) -> dict[str, Any]:
    """The fields of a TablePrediction; the score is over the rows that have a target."""
    fields = {
        "status": "Predictions are success",
        "code": 200,
        "rows": len(predictions),
        "output": f"{len(predictions)} predictions",
    }
    known = [row for row, cell in enumerate(labels or ()) if cell.strip()]
    if not labels or not known:
        return fields
    truth = live.target.convert([labels[row] for row in known])
    name = "accuracy" if live.target.task == "classification" else "r2"
    value = live.score([predictions[row] for row in known], truth.tolist())
    return fields | {name: value, "output": measured("Test", name, value)}


async def _response(size: int, fields: dict[str, Any]) -> Response:
    # JSON has no NaN: a model that predicts one answers null.
    return Response(await _run(size, partial(to_json, fields, inf_nan_mode="null")), media_type="application/json")


async def _run(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Small work here, large work in a thread, so that other requests go on."""
    return function(*arguments) if size <= SMALL else await asyncio.to_thread(function, *arguments)


async def _predict(request: Request, function: Callable[..., Answer], *arguments: Any) -> Answer:
    """In the worker's one prediction thread: health and small requests never wait behind it on the loop."""
    return await asyncio.get_running_loop().run_in_executor(request.app.state.thread, function, *arguments)
