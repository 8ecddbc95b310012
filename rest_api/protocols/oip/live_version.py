"""The live version of a model, for paths of the Open Inference Protocol that may name a version."""

from fastapi import Request

from ML.errors import NotFound
from ML.prediction.predictor import Predictor
from rest_api.predictions import answering


async def take(request: Request, model: str, version: str | None) -> Predictor:
    """Return the live predictor. Raise NotFound for any other version: only the live one is in memory."""
    live = await answering.take(request, model)
    if version is not None and version != str(live.card.version):
        raise NotFound(f"Version {version[:40]} of {model} is not live; version {live.card.version} is")
    return live
