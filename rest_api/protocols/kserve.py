"""KServe's V1 protocol: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol"""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ML import estimators
from rest_api import predictions
from rest_api.answers import bare
from rest_api.protocols.protocol import Protocol, words
from rest_api.routing import HotRoute

router = APIRouter(tags=["KServe v1"])
hot = APIRouter(route_class=HotRoute, tags=["KServe v1"])


class Error(BaseModel):
    """What is wrong."""

    error: str


class Predictions(BaseModel):
    """Predictions, in the order of the instances."""

    predictions: list[Any]
    probabilities: list[list[float | None]] | None = None
    classes: list[Any] | None = None


class Readiness(BaseModel):
    """Whether a model can answer."""

    name: str
    ready: bool


@router.get("/v1/models", summary="The models' names")
async def names() -> dict[str, list[str]]:
    """All of them, trained or not."""
    return {"models": estimators.names()}


@router.get("/v1/models/{model}", summary="Whether a model can answer")
async def readiness(request: Request, model: str) -> Readiness:
    """200 when it can; else 503 with the reason."""
    await request.app.live.take(model)
    return Readiness(name=model, ready=True)


@hot.post(
    "/v1/models/{model}:predict",
    summary="Predict rows",
    responses={200: {"model": Predictions}},
    openapi_extra=predictions.BODY,
)
async def predict(request: Request) -> Response:
    """Rows as objects, or as arrays in the order of the columns; `"parameters": {"probabilities": true}` adds those."""
    return await predictions.of_json(request, request.path_params["model"], bare)


router.routes.extend(hot.routes)
protocol = Protocol("kserve", router, Error, lambda status, detail: {"error": words(detail)}, "/v1/")
