"""The live version of a model, as a path of the Open Inference Protocol names it."""

from fastapi import Request

from ML.errors import NotFound
from ML.prediction.predictor import Predictor
from rest_api.predictions import answering


async def take(request: Request, model: str, version: str | None) -> Predictor:
    """Return the live predictor. Raises NotFound for another version: others would take memory."""
    live = await answering.take(request, model)
    if version is not None and version != str(live.card.version):
        raise NotFound(f"Version {version[:40]} of {model} is not live; version {live.card.version} is")
    return live
