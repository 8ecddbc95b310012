"""Vertex AI: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements

Vertex AI sets the paths of its routes in AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE. Without these there are no routes.
"""

from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from ML.config.config import Settings, settings
from ML.prediction.answers import Answer
from ML.versions.card import Card
from rest_api.http import bodies, work
from rest_api.http.responses import Json
from rest_api.http.routes import Router
from rest_api.predictions import answering
from rest_api.predictions.json_body import BODY
from rest_api.protocols import instances_body
from rest_api.protocols.protocol import Protocol, words


class Reason(BaseModel):
    """The error itself."""

    code: int
    message: str


class Error(BaseModel):
    """The body of an error, as in Google's APIs."""

    error: Reason


class Predictions(BaseModel):
    """Predictions, in the order of the instances. With probabilities, each one is an object."""

    predictions: list[Any]


async def health(request: Request) -> Response:
    """200 if the default model can predict, otherwise 503."""
    await answering.ready(request)
    return Response()


async def predict(request: Request) -> Response:
    """Rows as objects, or as arrays in the order of the columns; `"parameters": {"probabilities": true}`."""
    live = await answering.take(request, settings().default_model)
    request.app.batches.check(live)
    instances_body.check_type(request.scope)
    body = await bodies.read(request)
    parsed = await work.run(len(body), instances_body.parse, live, body, ("instances",))
    answer = await answering.predict(request, live, parsed.columns, parsed.rows, parsed.probabilities)
    return await work.run(len(body), _response, live.card, answer)


def protocol(config: Settings) -> Protocol:
    """Return the protocol, with routes at the paths in the settings."""
    router = Router(tags=["Vertex AI"])
    if config.aip_health_route:
        summary = "The default model can predict"
        router.add_api_route(config.aip_health_route, health, summary=summary, response_class=Response)
    if config.aip_predict_route:
        answers: dict[int | str, dict[str, Any]] = {200: {"model": Predictions}}
        path = config.aip_predict_route
        router.hot_post(path, summary="Predict rows", responses=answers, openapi_extra=BODY)(predict)
    return Protocol("vertex", router, Error, _shape, chosen=True)


def _response(card: Card, answer: Answer) -> Response:
    """Return the predictions as JSON, with any probabilities inside them: Vertex AI passes on no other field."""
    predictions: list[Any] = answer.predictions
    if answer.probabilities is not None:
        classes = card.target and card.target.classes
        predictions = [
            {"prediction": label, "probabilities": share, "classes": classes}
            for label, share in zip(answer.predictions, answer.probabilities, strict=True)
        ]
    return Json(to_json({"predictions": predictions}, inf_nan_mode="null"))


def _shape(status: int, detail: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": words(detail)}}
