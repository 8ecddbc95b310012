"""The Open Inference Protocol, version 2, over REST: https://github.com/kserve/open-inference-protocol

With Triton's extensions for binary data, the model repository, configuration and statistics, as its clients ask.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.answers import Answer
from ML.versions import catalog
from rest_api.http import bodies, encodings, work
from rest_api.http.content_types import WrongContentType
from rest_api.http.responses import Json
from rest_api.http.routes import HotRoute
from rest_api.predictions import answering
from rest_api.protocols.oip import infer_request, infer_response, live_version, model_signature, repository, statistics
from rest_api.protocols.oip.documents import ANSWER, BODY, Error, Live, Metadata, ModelReady, Ready, Server
from rest_api.protocols.oip.infer_request import InferRequest
from rest_api.protocols.oip.model_signature import ModelSignature
from rest_api.protocols.oip.statistics import Timer
from rest_api.protocols.protocol import Protocol, words

router = APIRouter(tags=["Open Inference Protocol v2"])
hot = APIRouter(route_class=HotRoute, tags=["Open Inference Protocol v2"])

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]
JSON_SIZE = b"inference-header-content-length"
TYPES = (b"", b"application/json", b"application/octet-stream")


class Names(BaseModel):
    """The names of all models."""

    models: list[str]


@router.get("/v2", summary="The server")
@router.get("/v2/", include_in_schema=False)
async def server(request: Request) -> Server:
    """Its name, version and extensions of the protocol."""
    return Server(name=request.app.title, version=request.app.version, extensions=EXTENSIONS)


@router.get("/v2/health/live", summary="The server is alive")
async def alive() -> Live:
    """Answers as long as the worker does."""
    return Live(live=True)


@router.get("/v2/health/ready", summary="The default model can answer")
async def ready(request: Request) -> Ready:
    """As /health/ready; else 503."""
    await answering.ready(request)
    return Ready(ready=True)


@router.get("/v2/models", summary="The models' names")
async def names() -> Names:
    """All of them, trained or not."""
    return Names(models=catalog.names())


@router.get("/v2/systemsharedmemory/status", summary="Shared memory: none is offered")
@router.get("/v2/cudasharedmemory/status", summary="The same")
async def shared_memory() -> list[dict[str, Any]]:
    """No region is ever registered here. Triton's clients ask before they register one."""
    return []


@router.get("/v2/models/{model}", summary="What a model takes and gives")
async def metadata(request: Request, model: str) -> Metadata:
    """Inputs as the model learned its columns, and outputs."""
    return await _metadata(request, model, None)


@router.get("/v2/models/{model}/versions/{version}", summary="What a version takes and gives")
async def version_metadata(request: Request, model: str, version: str) -> Metadata:
    """The same; 404 where another version is live."""
    return await _metadata(request, model, version)


@router.get("/v2/models/{model}/ready", summary="Whether a model can answer")
async def model_ready(request: Request, model: str) -> ModelReady:
    """200 when it can; else 503."""
    await live_version.take(request, model, None)
    return ModelReady(name=model, ready=True)


@router.get("/v2/models/{model}/versions/{version}/ready", summary="Whether a version can answer")
async def version_ready(request: Request, model: str, version: str) -> ModelReady:
    """The same; 404 where another version is live."""
    await live_version.take(request, model, version)
    return ModelReady(name=model, ready=True)


@router.get("/v2/models/{model}/config", summary="A model's configuration")
async def config(request: Request, model: str) -> dict[str, Any]:
    """Inputs and outputs in the names of Triton's configuration."""
    return model_signature.of(await live_version.take(request, model, None)).config


@router.get("/v2/models/{model}/versions/{version}/config", summary="A version's configuration")
async def version_config(request: Request, model: str, version: str) -> dict[str, Any]:
    """The same; 404 where another version is live."""
    return model_signature.of(await live_version.take(request, model, version)).config


@hot.post("/v2/models/{model}/infer", summary="Predict with a model", responses=ANSWER, openapi_extra=BODY)
@hot.post("/v2/models/{model}/versions/{version}/infer", summary="The same", responses=ANSWER, openapi_extra=BODY)
async def infer(request: Request) -> Response:
    """One input for each column, or one matrix with all columns in order."""
    path = request.path_params
    live = await live_version.take(request, path["model"], path.get("version"))
    with Timer(live) as timer:
        request.app.batches.check(live)
        size, accept = _headers(request)
        body = await bodies.read(request)
        timer.restart()
        told = model_signature.of(live)
        asked = await work.run(len(body), infer_request.parse, told, body, size, settings().max_rows)
        timer.mark()
        answer = await answering.predict(request, live, asked.columns, asked.rows, asked.probabilities)
        timer.mark()
        return await work.run(len(body), _response, told, asked, answer, encodings.accepted(accept))


def _headers(request: Request) -> tuple[int | None, bytes]:
    """Bytes of JSON where binary data follow, and the encodings accepted. Raises WrongContentType and Invalid."""
    size, accept = None, b""
    for name, value in request.scope["headers"]:
        if name == b"accept-encoding":
            accept = value
        elif name == b"content-type" and value.partition(b";")[0].strip().lower() not in TYPES:
            said = f"{request.scope['path']} takes application/json or application/octet-stream"
            raise WrongContentType(f"{said}, not {value.decode('latin-1')}; set the Content-Type header")
        elif name == JSON_SIZE:
            if not value.isdigit() or len(value) > 12:
                said = "Inference-Header-Content-Length is the length of the JSON in bytes"
                raise Invalid.at("header", JSON_SIZE.decode(), msg=said, input=value, type="int_parsing")
            size = int(value)
    return size, accept


def _response(told: ModelSignature, asked: InferRequest, answer: Answer, encoding: bytes) -> Response:
    body, size = infer_response.answer(told, asked, answer)
    headers = []
    if encoding and len(body) >= encodings.WORTH:
        body = encodings.packed(body, encoding)
        headers = [(b"content-encoding", encoding), (b"vary", b"accept-encoding")]
    response = Json(body)
    if size is not None:
        response.raw_headers[0] = (b"content-type", b"application/octet-stream")
        headers.append((JSON_SIZE, b"%d" % size))
    response.raw_headers += headers
    return response


async def _metadata(request: Request, model: str, version: str | None) -> Metadata:
    told = model_signature.of(await live_version.take(request, model, version))
    return Metadata(
        name=told.name,
        versions=[told.version],
        platform=model_signature.PLATFORM,
        inputs=told.inputs,
        outputs=told.outputs,
    )


# Statistics first: their /v2/models/stats is also a /v2/models/{model}.
router.routes[:] = [*statistics.router.routes, *repository.router.routes, *router.routes, *hot.routes]
protocol = Protocol(
    "oip", router, Error, lambda status, detail: {"error": words(detail)}, "/v2/", trainer=repository.TRAINER
)
