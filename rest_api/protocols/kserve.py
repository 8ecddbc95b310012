"""KServe's V1 protocol: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol"""

from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import RedirectResponse

from ML.config.config import settings
from ML.errors import Problem
from ML.prediction.predictor import Predictor
from ML.schema.json_rows import ParsedRows
from ML.versions import catalog
from rest_api.answers import platform_fields
from rest_api.http import bodies, work
from rest_api.http.responses import Json
from rest_api.http.routes import Router
from rest_api.predictions import answering
from rest_api.predictions.json_body import BODY
from rest_api.protocols import cloud_events, instances_body
from rest_api.protocols.invocations import dataframes
from rest_api.protocols.protocol import Protocol, words

FORMS = ("instances", "inputs")

router = Router(tags=["KServe v1"])


class Error(BaseModel):
    """The body of an error."""

    error: str


class NotOffered(Problem):
    """A part of V1 that this server does not implement."""

    status = 501


class Predictions(BaseModel):
    """Predictions, in the order of the instances."""

    predictions: list[Any]
    probabilities: list[list[float | None]] | None = None
    classes: list[Any] | None = None


class Readiness(BaseModel):
    """Whether a model can predict."""

    name: str
    ready: bool


@router.get("/", include_in_schema=False)
async def alive(request: Request) -> Response:
    """Report that the server is alive, as KServe's client expects. A browser is redirected to the docs."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")
    return Json(b'{"status":"alive"}')


@router.get("/v1/models", summary="The models' names")
async def names() -> dict[str, list[str]]:
    """All models, trained or not."""
    return {"models": catalog.names()}


@router.get("/v1/models/{model}", summary="Whether a model can predict")
async def readiness(request: Request, model: str) -> Readiness:
    """200 if the model can predict, otherwise 503 with the reason."""
    await request.app.live.take(model)
    return Readiness(name=model, ready=True)


@router.hot_post(
    "/v1/models/{model}:predict",
    summary="Predict rows",
    responses={200: {"model": Predictions}},
    openapi_extra=BODY,
)
async def predict(request: Request) -> Response:
    """Rows as objects, or as arrays in the order of the columns; `"parameters": {"probabilities": true}` adds them.

    `inputs` is accepted in place of `instances`. The answer to a CloudEvent is a CloudEvent in the same mode, binary
    or structured.
    """
    model = request.path_params["model"]
    live = await answering.take(request, model)
    request.app.batches.check(live)
    mode = cloud_events.mode(request.headers)
    if mode != "structured":
        instances_body.check_type(request.scope)
    body = await bodies.read(request)
    parsed = await work.run(len(body), _rows, live, body, mode)
    answer = await answering.predict(request, live, parsed.columns, parsed.rows, parsed.probabilities)
    return await work.run(len(body), _response, platform_fields(live.card, answer, parsed.unused), model, mode)


@router.hot_post("/v1/models/{model}:explain", include_in_schema=False)
async def explain(request: Request) -> Response:
    """501, because models have no explanations here; 404 for an unknown model."""
    model = catalog.check(request.path_params["model"])
    raise NotOffered(f"{model} has no explanations; ask /v1/models/{model}:predict for its predictions")


def _rows(live: Predictor, body: bytes, mode: cloud_events.Mode) -> ParsedRows:
    if mode != "structured":
        return instances_body.parse(live, body, FORMS)
    return dataframes.of_value(live, cloud_events.data(body, settings().max_rows, len(live.schema.names)), FORMS)


def _response(fields: dict[str, Any], model: str, mode: cloud_events.Mode) -> Response:
    return cloud_events.answer(model, fields, mode) if mode else Json(to_json(fields, inf_nan_mode="null"))


protocol = Protocol("kserve", router, Error, lambda status, detail: {"error": words(detail)}, "/v1/")
