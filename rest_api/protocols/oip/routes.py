"""The Open Inference Protocol, version 2, over REST: https://github.com/kserve/open-inference-protocol

With Triton's extensions for binary data, the model repository, configuration and statistics, which its clients use.
"""

from typing import Any

from fastapi import Request
from pydantic import BaseModel

from ML.versions import catalog
from rest_api.http.routes import Router
from rest_api.predictions import answering
from rest_api.protocols.oip import live_version, model_signature, repository, statistics
from rest_api.protocols.oip.documents import Error, Live, Metadata, ModelReady, Ready, Server
from rest_api.protocols.oip.inference import routes as inference
from rest_api.protocols.protocol import Protocol, words

router = Router(tags=["Open Inference Protocol v2"])

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]


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
router.routes[:] = [*statistics.router.routes, *repository.router.routes, *router.routes, *inference.router.routes]
protocol = Protocol(
    "oip", router, Error, lambda status, detail: {"error": words(detail)}, "/v2/", trainer=repository.TRAINER
)
