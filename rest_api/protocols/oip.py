"""The Open Inference Protocol, version 2, over REST: https://github.com/kserve/open-inference-protocol

With Triton's extensions for binary data, the repository's index, configuration and statistics, as its clients ask.
"""

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response

from ML import estimators
from ML.config.config import settings
from ML.errors import Invalid, NotFound, Problem
from ML.predictor import Answer, Predictor
from rest_api import encodings, exposition, metrics, predictions
from rest_api.protocols import contract, inference, inferred
from rest_api.protocols.contract import PROBABILITIES, Contract
from rest_api.protocols.inference import Asked
from rest_api.protocols.oip_docs import ANSWER, BODY, Error, Index, Live, Metadata, ModelReady, Ready, Server
from rest_api.protocols.protocol import Protocol, words
from rest_api.routing import HotRoute, Json, WrongContentType, read_body

router = APIRouter(tags=["Open Inference Protocol v2"])
hot = APIRouter(route_class=HotRoute, tags=["Open Inference Protocol v2"])

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]
JSON_SIZE = b"inference-header-content-length"
TYPES = (b"", b"application/json", b"application/octet-stream")


@router.get("/v2", summary="The server")
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
    await predictions.ready(request)
    return Ready(ready=True)


@router.post("/v2/repository/index", summary="The models and their live versions")
async def index(request: Request) -> list[Index]:
    """All of them; with `{"ready": true}` those that can answer."""
    body = await read_body(request.receive)
    only_ready = inference.only_ready(body) if body else False
    found = [await _indexed(request, name) for name in estimators.names()]
    return [each for each in found if each.state == "READY" or not only_ready]


@router.get("/v2/models/stats", summary="What all models have answered")
async def all_stats(request: Request) -> dict[str, Any]:
    """Rows and calls of each model since the server's start, over all workers."""
    found = []
    for name in estimators.names():
        with suppress(Problem):
            found.append(await _stats(request, name, None))
    return {"model_stats": found}


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
    await _take(request, model, None)
    return ModelReady(name=model, ready=True)


@router.get("/v2/models/{model}/versions/{version}/ready", summary="Whether a version can answer")
async def version_ready(request: Request, model: str, version: str) -> ModelReady:
    """The same; 404 where another version is live."""
    await _take(request, model, version)
    return ModelReady(name=model, ready=True)


@router.get("/v2/models/{model}/config", summary="A model's configuration")
async def config(request: Request, model: str) -> dict[str, Any]:
    """Inputs and outputs in the names of Triton's configuration."""
    return contract.of(await _take(request, model, None)).config


@router.get("/v2/models/{model}/versions/{version}/config", summary="A version's configuration")
async def version_config(request: Request, model: str, version: str) -> dict[str, Any]:
    """The same; 404 where another version is live."""
    return contract.of(await _take(request, model, version)).config


@router.get("/v2/models/{model}/stats", summary="What a model has answered")
async def stats(request: Request, model: str) -> dict[str, Any]:
    """Rows and calls of the model since the server's start, over all workers."""
    return {"model_stats": [await _stats(request, model, None)]}


@router.get("/v2/models/{model}/versions/{version}/stats", summary="What a version has answered")
async def version_stats(request: Request, model: str, version: str) -> dict[str, Any]:
    """The same, over all versions of it; 404 where another version is live."""
    return {"model_stats": [await _stats(request, model, version)]}


@hot.post("/v2/models/{model}/infer", summary="Predict with a model", responses=ANSWER, openapi_extra=BODY)
@hot.post("/v2/models/{model}/versions/{version}/infer", summary="The same", responses=ANSWER, openapi_extra=BODY)
async def infer(request: Request) -> Response:
    """One input for each column, or one matrix with all columns in order."""
    path = request.path_params
    live = await _take(request, path["model"], path.get("version"))
    request.app.batches.check(live)
    size, encoding, accept = _headers(request)
    body = await read_body(request.receive)
    if encoding:
        body = await asyncio.to_thread(encodings.unpacked, body, encoding, settings().max_body_bytes)
    told = contract.of(live)
    asked = await predictions.run(len(body), inference.parse, told, body, size, settings().max_rows)
    answer = await predictions.predict(request, live, asked.columns, asked.rows, PROBABILITIES in asked.outputs)
    return await predictions.run(len(body), _response, told, asked, answer, encodings.accepted(accept))


def _headers(request: Request) -> tuple[int | None, bytes, bytes]:
    """Bytes of JSON where binary data follow, encoding, and those accepted. Raises WrongContentType and Invalid."""
    size, encoding, accept = None, b"", b""
    for name, value in request.scope["headers"]:
        if name == b"accept-encoding":
            accept = value
        elif name == b"content-type" and value.partition(b";")[0].strip().lower() not in TYPES:
            said = f"{request.scope['path']} takes application/json or application/octet-stream"
            raise WrongContentType(f"{said}, not {value.decode('latin-1')}; set the Content-Type header")
        elif name == b"content-encoding":
            encoding = value
        elif name == JSON_SIZE:
            if not value.isdigit() or len(value) > 12:
                said = "Inference-Header-Content-Length is the length of the JSON in bytes"
                raise Invalid.at("header", JSON_SIZE.decode(), msg=said, input=value, type="int_parsing")
            size = int(value)
    return size, encoding, accept


def _response(told: Contract, asked: Asked, answer: Answer, encoding: bytes) -> Response:
    body, size = inferred.answer(told, asked, answer)
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
    told = contract.of(await _take(request, model, version))
    return Metadata(
        name=told.name,
        versions=[told.version],
        platform=contract.PLATFORM,
        inputs=told.inputs,
        outputs=told.outputs,
    )


async def _take(request: Request, model: str, version: str | None) -> Predictor:
    """The live predictor. Raises NotFound where another version is asked for: others would take memory."""
    live = await predictions.take(request, model)
    if version is not None and version != str(live.card.version):
        raise NotFound(f"Version {version[:40]} of {model} is not live; version {live.card.version} is")
    return live


async def _indexed(request: Request, name: str) -> Index:
    try:
        live = await request.app.live.take(name)
    except Problem as problem:
        return Index(name=name, version="", state="UNAVAILABLE", reason=str(problem))
    return Index(name=name, version=str(live.card.version), state="READY", reason="")


async def _stats(request: Request, name: str, version: str | None) -> dict[str, Any]:
    live = await _take(request, name, version)
    metrics.hand_on()
    rows, calls = await asyncio.to_thread(exposition.answered, name)
    return {"name": name, "version": str(live.card.version), "inference_count": rows, "execution_count": calls}


router.routes.extend(hot.routes)
protocol = Protocol("oip", router, Error, lambda status, detail: {"error": words(detail)}, "/v2/")
