"""Triton's model repository: what it holds, and loading.

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
from rest_api.protocols.oip.infer_request import checked

router = APIRouter(tags=["Open Inference Protocol v2"])

LOAD, UNLOAD = (f"/v2/repository/models/{{model}}/{verb}" for verb in ("load", "unload"))
TRAINER = frozenset({f"POST {LOAD}", f"POST {UNLOAD}"})
"""For SERVICE_USER alone."""


@with_config(ConfigDict(strict=True))
class Wish(TypedDict, total=False):
    """Which models the index lists."""

    ready: bool | None


@with_config(ConfigDict(strict=True))
class Options(TypedDict, total=False):
    """How Triton would load a model."""

    parameters: dict[str, Any] | None


WISH, OPTIONS = TypeAdapter(Wish), TypeAdapter(Options)


class Loaded(BaseModel):
    """A model that is loaded."""

    name: str
    load: bool


class StaysLoaded(Problem):
    """A model can't be unloaded."""

    status = 400  # as the extension has it: "typically 400"


@router.post("/v2/repository/index", summary="The models and their live versions")
async def index(request: Request) -> list[Index]:
    """All of them; with `{"ready": true}` those that can answer."""
    only_ready = checked(WISH, await _body(request)).get("ready")
    found = [await _indexed(request, name) for name in catalog.names()]
    return [each for each in found if each.state == "READY" or not only_ready]


@router.post(LOAD, summary="Load a model's live version")
async def load(request: Request, model: str) -> Loaded:
    """Loads the live version if it is not loaded, again if that failed; else 503 with the reason.

    The other workers need no call: each loads the live version with its next request. Which version is live, training
    and `PUT /models/{model}/current` decide.
    """
    catalog.check(model)
    parameters = checked(OPTIONS, await _body(request)).get("parameters") or {}
    if sent := [name for name, value in parameters.items() if value is not None]:
        message = f"{sent[0][:100]}: a configuration or a file can't be sent here; train the model by POST /train_model"
        raise Invalid.at("body", "parameters", sent[0], msg=message, type="extra_forbidden")
    live = await request.app.live.load(model)
    request.scope["log"].version = live.name
    return Loaded(name=model, load=True)


@router.post(UNLOAD, summary="Unload a model: refused", status_code=400, response_model=None)
async def unload(model: str) -> None:
    """Always 400, as only one of the workers would unload it; 404 for an unknown model."""
    catalog.check(model)
    raise StaysLoaded(
        f"{model} stays loaded: an unload would reach only one of the server's workers. To serve another version, "
        f"make it live by PUT /models/{model}/current; to serve the model no longer, remove ML/src/{model}.py"
    )


async def _body(request: Request) -> Any:
    """The JSON of a request, if it has any. Raises Invalid."""
    body = await bodies.read(request)
    found = json_size.read(body, 0, 0) if body.strip() else None
    return {} if found is None else found


async def _indexed(request: Request, name: str) -> Index:
    try:
        live = await request.app.live.take(name)
    except Problem as problem:
        return Index(name=name, version="", state="UNAVAILABLE", reason=str(problem))
    return Index(name=name, version=str(live.card.version), state="READY", reason="")
