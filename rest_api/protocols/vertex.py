"""Vertex AI: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements

It says by AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE which routes it will call; without these there are none.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from ML.config.config import Settings, settings
from ML.prediction.answers import Answer
from ML.versions.card import Card
from rest_api.http import bodies, work
from rest_api.http.responses import Json
from rest_api.http.routes import HotRoute
from rest_api.predictions import answering
from rest_api.predictions.json_body import BODY
from rest_api.protocols import instances_body
from rest_api.protocols.protocol import Protocol, words


class Reason(BaseModel):
    """What is wrong."""

    code: int
    message: str


class Error(BaseModel):
    """The shape of Google's APIs."""

    error: Reason


class Predictions(BaseModel):
    """Predictions, in the order of the instances; with probabilities each is an object."""

    predictions: list[Any]


async def health(request: Request) -> Response:
    """200 when the default model can answer, else 503."""
    await answering.ready(request)
    return Response()


async def predict(request: Request) -> Response:
    """Rows as objects, or as arrays in the order of the columns; `"parameters": {"probabilities": true}`."""
    live = await answering.take(request, settings().default_model)
    request.app.batches.check(live)
    instances_body.check_type(request.scope)
    body = await bodies.read(request)
    asked = await work.run(len(body), instances_body.parse, live, body, ("instances",))
    answer = await answering.predict(request, live, asked.columns, asked.rows, asked.probabilities)
    return await work.run(len(body), _answered, live.card, answer)


def protocol(given: Settings) -> Protocol:
    """The protocol on the routes of the settings."""
    router = APIRouter(tags=["Vertex AI"])
    hot = APIRouter(route_class=HotRoute, tags=["Vertex AI"])
    if given.aip_health_route:
        summary = "The default model can answer"
        router.add_api_route(given.aip_health_route, health, summary=summary, response_class=Response)
    if given.aip_predict_route:
        hot.add_api_route(
            given.aip_predict_route,
            predict,
            methods=["POST"],
            summary="Predict rows",
            responses={200: {"model": Predictions}},
            openapi_extra=BODY,
        )
    router.routes.extend(hot.routes)
    return Protocol("vertex", router, Error, _shape, chosen=True)


def _answered(card: Card, answer: Answer) -> Response:
    """Vertex hands on nothing but the predictions, so the probabilities are in them."""
    found: list[Any] = answer.predictions
    if answer.probabilities is not None:
        classes = card.target and card.target.classes
        found = [
            {"prediction": label, "probabilities": share, "classes": classes}
            for label, share in zip(answer.predictions, answer.probabilities, strict=True)
        ]
    return Json(to_json({"predictions": found}, inf_nan_mode="null"))


def _shape(status: int, detail: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": words(detail)}}
