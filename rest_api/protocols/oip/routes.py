"""The Open Inference Protocol, version 2, over REST: https://github.com/kserve/open-inference-protocol

With Triton's extensions for binary data, the model repository, configuration and statistics, which its clients use.
"""

from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.answers import Answer
from ML.versions import catalog
from rest_api.http import bodies, encodings, work
from rest_api.http.content_types import WrongContentType
from rest_api.http.responses import Json
from rest_api.http.routes import Router
from rest_api.predictions import answering
from rest_api.protocols.oip import infer_request, infer_response, live_version, model_signature, repository, statistics
from rest_api.protocols.oip.documents import ANSWER, BODY, Error, Live, Metadata, ModelReady, Ready, Server
from rest_api.protocols.oip.infer_request import InferRequest
from rest_api.protocols.oip.inference_timer import InferenceTimer
from rest_api.protocols.oip.model_signature import ModelSignature
from rest_api.protocols.protocol import Protocol, words

router = Router(tags=["Open Inference Protocol v2"])

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]
JSON_SIZE = b"inference-header-content-length"
TYPES = (b"", b"application/json", b"application/octet-stream")


class Names(BaseModel):
    """The names of all models."""

    models: list[str]


@router.get("/v2", summary="The server")
@router.get("/v2/", include_in_schema=False)
async def server(request: Request) -> Server:
    """Name, version, and extensions of the protocol."""
    return Server(name=request.app.title, version=request.app.version, extensions=EXTENSIONS)


@router.get("/v2/health/live", summary="The server is alive")
async def alive() -> Live:
    """Succeeds as long as the worker responds."""
    return Live(live=True)


@router.get("/v2/health/ready", summary="The default model can predict")
async def ready(request: Request) -> Ready:
    """200 if the default model can predict, otherwise 503, like /health/ready."""
    await answering.ready(request)
    return Ready(ready=True)


@router.get("/v2/models", summary="The models' names")
async def names() -> Names:
    """All models, trained or not."""
    return Names(models=catalog.names())


@router.get("/v2/systemsharedmemory/status", summary="Shared memory: not supported")
@router.get("/v2/cudasharedmemory/status", summary="The same")
async def shared_memory() -> list[dict[str, Any]]:
    """Always empty. Triton's clients ask before they register a region."""
    return []


@router.get("/v2/models/{model}", summary="Inputs and outputs of a model")
async def metadata(request: Request, model: str) -> Metadata:
    """Inputs, one for each column that the model learned, and outputs."""
    return await _metadata(request, model, None)


@router.get("/v2/models/{model}/versions/{version}", summary="Inputs and outputs of a version")
async def version_metadata(request: Request, model: str, version: str) -> Metadata:
    """The same; 404 if another version is live."""
    return await _metadata(request, model, version)


@router.get("/v2/models/{model}/ready", summary="Whether a model can predict")
async def model_ready(request: Request, model: str) -> ModelReady:
    """200 if the model can predict, otherwise 503."""
    await live_version.take(request, model, None)
    return ModelReady(name=model, ready=True)


@router.get("/v2/models/{model}/versions/{version}/ready", summary="Whether a version can predict")
async def version_ready(request: Request, model: str, version: str) -> ModelReady:
    """The same; 404 if another version is live."""
    await live_version.take(request, model, version)
    return ModelReady(name=model, ready=True)


@router.get("/v2/models/{model}/config", summary="A model's configuration")
async def config(request: Request, model: str) -> dict[str, Any]:
    """Inputs and outputs as a Triton model configuration."""
    return model_signature.of(await live_version.take(request, model, None)).config


@router.get("/v2/models/{model}/versions/{version}/config", summary="A version's configuration")
async def version_config(request: Request, model: str, version: str) -> dict[str, Any]:
    """The same; 404 if another version is live."""
    return model_signature.of(await live_version.take(request, model, version)).config


@router.hot_post("/v2/models/{model}/infer", summary="Predict with a model", responses=ANSWER, openapi_extra=BODY)
@router.hot_post(
    "/v2/models/{model}/versions/{version}/infer", summary="The same", responses=ANSWER, openapi_extra=BODY
)
async def infer(request: Request) -> Response:
    """One input for each column, or one matrix with all columns in order."""
    path = request.path_params
    live = await live_version.take(request, path["model"], path.get("version"))
    with InferenceTimer(live) as timer:
        request.app.batches.check(live)
        size, accept = _headers(request)
        body = await bodies.read(request)
        timer.restart()
        signature = model_signature.of(live)
        parsed = await work.run(len(body), infer_request.parse, signature, body, size, settings().max_rows)
        timer.mark()
        answer = await answering.predict(request, live, parsed.columns, parsed.rows, parsed.probabilities)
        timer.mark()
        return await work.run(len(body), _response, signature, parsed, answer, encodings.accepted(accept))


def _headers(request: Request) -> tuple[int | None, bytes]:
    """Return the size of the JSON in bytes if binary data follows it, and the Accept-Encoding header.

    Raise WrongContentType and Invalid.
    """
    size, accept = None, b""
    for name, value in request.scope["headers"]:
        if name == b"accept-encoding":
            accept = value
        elif name == b"content-type" and value.partition(b";")[0].strip().lower() not in TYPES:
            message = f"{request.scope['path']} takes application/json or application/octet-stream"
            raise WrongContentType(f"{message}, not {value.decode('latin-1')}; set the Content-Type header")
        elif name == JSON_SIZE:
            if not value.isdigit() or len(value) > 12:
                message = "Inference-Header-Content-Length is the length of the JSON in bytes"
                raise Invalid.at("header", JSON_SIZE.decode(), msg=message, input=value, type="int_parsing")
            size = int(value)
    return size, accept


def _response(signature: ModelSignature, parsed: InferRequest, answer: Answer, encoding: bytes) -> Response:
    body, json_size = infer_response.render(signature, parsed, answer)
    headers, content_type = [], b"application/json"
    if encoding and len(body) >= encodings.MIN_COMPRESSED_BYTES:
        body = encodings.compress(body, encoding)
        headers = [(b"content-encoding", encoding), (b"vary", b"accept-encoding")]
    if json_size is not None:
        content_type = b"application/octet-stream"
        headers.append((JSON_SIZE, b"%d" % json_size))
    return Json(body, content_type, headers)


async def _metadata(request: Request, model: str, version: str | None) -> Metadata:
    signature = model_signature.of(await live_version.take(request, model, version))
    return Metadata(
        name=signature.name,
        versions=[signature.version],
        platform=model_signature.PLATFORM,
        inputs=signature.inputs,
        outputs=signature.outputs,
    )


# Statistics first: /v2/models/{model} would match their /v2/models/stats too.
router.routes[:] = [*statistics.router.routes, *repository.router.routes, *router.routes]
protocol = Protocol(
    "oip", router, Error, lambda status, detail: {"error": words(detail)}, "/v2/", trainer=repository.TRAINER
)
