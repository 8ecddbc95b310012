"""Triton's model repository: its index, and loading.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md
"""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from ML.errors import Invalid, Problem
from ML.schema import json_size
from ML.versions import catalog
from rest_api.http import bodies
from rest_api.protocols.oip.documents import Index
from rest_api.protocols.oip.validation import checked

router = APIRouter(tags=["Open Inference Protocol v2"])

LOAD, UNLOAD = (f"/v2/repository/models/{{model}}/{verb}" for verb in ("load", "unload"))
TRAINER = frozenset({f"POST {LOAD}", f"POST {UNLOAD}"})
"""Routes for SERVICE_USER only."""


@with_config(ConfigDict(strict=True))
class IndexRequest(TypedDict, total=False):
    """Which models to list."""

    ready: bool | None


@with_config(ConfigDict(strict=True))
class LoadRequest(TypedDict, total=False):
    """Options for loading a model, which Triton supports."""

    parameters: dict[str, Any] | None


INDEX_REQUEST, LOAD_REQUEST = TypeAdapter(IndexRequest), TypeAdapter(LoadRequest)


class Loaded(BaseModel):
    """The model that was loaded."""

    name: str
    load: bool


class StaysLoaded(Problem):
    """Models can't be unloaded."""

    status = 400  # the extension says "typically 400"


@router.post("/v2/repository/index", summary="The models and their live versions")
async def index(request: Request) -> list[Index]:
    """All models, or with `{"ready": true}` those that can predict."""
    only_ready = checked(INDEX_REQUEST, await _body(request)).get("ready")
    models = [await _indexed(request, name) for name in catalog.names()]
    return [each for each in models if each.state == "READY" or not only_ready]


@router.post(LOAD, summary="Load a model's live version")
async def load(request: Request, model: str) -> Loaded:
    """Load the live version unless it is loaded, and retry a failed load; 503 with the reason if that fails.

    Other workers need no call: each loads the live version at its next request. To change which version is live, train
    the model or use `PUT /models/{model}/current`.
    """
    catalog.check(model)
    parameters = checked(LOAD_REQUEST, await _body(request)).get("parameters") or {}
    if options := [name for name, value in parameters.items() if value is not None]:
        message = (
            f"{options[0][:100]}: a configuration or a file can't be sent here; train the model by POST /train_model"
        )
        raise Invalid.at("parameters", options[0], msg=message, type="extra_forbidden")
    live = await request.app.live.load(model)
    request.scope["log"].version = live.name
    return Loaded(name=model, load=True)


@router.post(UNLOAD, summary="Unload a model: refused", status_code=400, response_model=None)
async def unload(model: str) -> None:
    """Always 400, because only one of the workers would unload it; 404 for an unknown model."""
    catalog.check(model)
    raise StaysLoaded(
        f"{model} stays loaded: an unload would reach only one of the server's workers. To serve another version, "
        f"make it live by PUT /models/{model}/current; to stop serving the model, remove ML/src/{model}.py"
    )


async def _body(request: Request) -> Any:
    """Return the JSON of a request, or an empty object if it has none. Raise Invalid."""
    body = await bodies.read(request)
    value = json_size.read(body, 0, 0) if body.strip() else None
    return {} if value is None else value


async def _indexed(request: Request, name: str) -> Index:
    try:
        live = await request.app.live.take(name)
    except Problem as problem:
        return Index(name=name, version="", state="UNAVAILABLE", reason=str(problem))
    return Index(name=name, version=str(live.card.version), state="READY", reason="")
