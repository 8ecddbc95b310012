"""KServe's V1 protocol: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol"""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import RedirectResponse

from ML.config.config import settings
from ML.errors import Problem
from ML.prediction.predictor import Predictor
from ML.schema.json_rows import ParsedRows as Rows
from ML.versions import catalog
from rest_api.answers import platform_fields
from rest_api.http import bodies, work
from rest_api.http.responses import Json
from rest_api.http.routes import HotRoute
from rest_api.predictions import answering
from rest_api.predictions.json_body import BODY
from rest_api.protocols import cloud_events, instances_body
from rest_api.protocols.invocations import dataframes
from rest_api.protocols.protocol import Protocol, words

FORMS = ("instances", "inputs")

router = APIRouter(tags=["KServe v1"])
hot = APIRouter(route_class=HotRoute, tags=["KServe v1"])


class Error(BaseModel):
    """What is wrong."""

    error: str


class NotOffered(Problem):
    """What V1 has and this server does not do."""

    status = 501


class Predictions(BaseModel):
    """Predictions, in the order of the instances."""

    predictions: list[Any]
    probabilities: list[list[float | None]] | None = None
    classes: list[Any] | None = None


class Readiness(BaseModel):
    """Whether a model can answer."""

    name: str
    ready: bool


@router.get("/", include_in_schema=False)
async def alive(request: Request) -> Response:
    """Whether a V1 server lives: KServe's client asks here. A browser is led to the docs."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")
    return Json(b'{"status":"alive"}')


@router.get("/v1/models", summary="The models' names")
async def names() -> dict[str, list[str]]:
    """All of them, trained or not."""
    return {"models": catalog.names()}


@router.get("/v1/models/{model}", summary="Whether a model can answer")
async def readiness(request: Request, model: str) -> Readiness:
    """200 when it can; else 503 with the reason."""
    await request.app.live.take(model)
    return Readiness(name=model, ready=True)


@hot.post(
    "/v1/models/{model}:predict",
    summary="Predict rows",
    responses={200: {"model": Predictions}},
    openapi_extra=BODY,
)
async def predict(request: Request) -> Response:
    """Rows as objects, or as arrays in the order of the columns; `"parameters": {"probabilities": true}` adds those.

    `inputs` may stand for `instances`. A CloudEvent is answered by one, binary or structured as it came.
    """
    model = request.path_params["model"]
    live = await answering.take(request, model)
    request.app.batches.check(live)
    mode = cloud_events.mode(request.headers)
    if mode != "structured":
        instances_body.check_type(request.scope)
    body = await bodies.read(request)
    asked = await work.run(len(body), _rows, live, body, mode)
    answer = await answering.predict(request, live, asked.columns, asked.rows, asked.probabilities)
    return await work.run(len(body), _answered, platform_fields(live.card, answer, asked.unused), model, mode)


@hot.post("/v1/models/{model}:explain", include_in_schema=False)
async def explain(request: Request) -> Response:
    """501, as no model here has explanations; 404 for an unknown one."""
    model = catalog.check(request.path_params["model"])
    raise NotOffered(f"{model} has no explanations; ask /v1/models/{model}:predict for its predictions")


def _rows(live: Predictor, body: bytes, mode: cloud_events.Mode) -> Rows:
    if mode != "structured":
        return instances_body.parse(live, body, FORMS)
    return dataframes.of_value(live, cloud_events.data(body, settings().max_rows, len(live.schema.names)), FORMS)


def _answered(fields: dict[str, Any], model: str, mode: cloud_events.Mode) -> Response:
    return cloud_events.answer(model, fields, mode) if mode else Json(to_json(fields, inf_nan_mode="null"))


router.routes.extend(hot.routes)
protocol = Protocol("kserve", router, Error, lambda status, detail: {"error": words(detail)}, "/v1/")
