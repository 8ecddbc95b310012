"""Vertex AI: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements

It says by AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE which routes it will call; without these there are none.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ML.card import Card
from ML.config.config import Settings, settings
from ML.predictor import Answer
from rest_api import predictions
from rest_api.protocols.protocol import Protocol, words
from rest_api.routing import HotRoute


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
    await predictions.ready(request)
    return Response()


async def predict(request: Request) -> Response:
    """Rows as objects, or as arrays in the order of the columns; `"parameters": {"probabilities": true}`."""
    return await predictions.of_json(request, settings().default_model, _fields)


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
            openapi_extra=predictions.BODY,
        )
    router.routes.extend(hot.routes)
    return Protocol("vertex", router, Error, _shape, chosen=True)


def _fields(card: Card, answer: Answer, unused: list[str]) -> dict[str, Any]:
    """Vertex hands on nothing but the predictions, so the probabilities are in them."""
    if answer.probabilities is None:
        return {"predictions": answer.predictions}
    classes = card.target and card.target.classes
    return {
        "predictions": [
            {"prediction": label, "probabilities": share, "classes": classes}
            for label, share in zip(answer.predictions, answer.probabilities, strict=True)
        ]
    }


def _shape(status: int, detail: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": words(detail)}}
