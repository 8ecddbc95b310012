"""The OpenAPI documents that a worker keeps, rendered again when other versions are live."""

import asyncio
from datetime import datetime
from functools import lru_cache

from fastapi import FastAPI, Response
from pydantic_core import to_json

from ML.errors import Problem
from ML.prediction.predictor import Predictor
from ML.versions import catalog
from rest_api.docs import openapi
from rest_api.docs.rendered import Rendered

Versions = list[tuple[str, datetime]]
"""Names of versions and when they were created, because the number of a deleted version can be reused."""

MAX_DOCUMENTS = 4
"""Documents kept: with and without credentials, each with and without the path prefix."""


@lru_cache(1)
def _models(changed: int) -> list[str]:
    """Return the models' names, cached until ML/src changes: listing them takes ten times as long as that check."""
    return catalog.names()


class Documents:
    """The documents of an app."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._kept: dict[tuple[str, bool], tuple[Versions, asyncio.Task[Rendered]]] = {}

    async def take(self, root: str, learned: bool) -> Rendered:
        """Return the document for the live versions. Requests that arrive while it is rendered share the result."""
        live = await self._live()
        versions = [(each.name, each.card.created) for each in live]
        kept, task = self._kept.get((root, learned), (None, None))
        if task is None or kept != versions or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(asyncio.to_thread(self._render, live, root, learned))
            self._kept[root, learned] = versions, task
            if len(self._kept) > MAX_DOCUMENTS:
                del self._kept[next(iter(self._kept))]
        return await asyncio.shield(task)

    async def _live(self) -> list[Predictor]:
        predictors = []
        for model in _models(catalog.SOURCE.stat().st_mtime_ns):
            try:
                predictors.append(await self.app.live.take(model))  # type: ignore[attr-defined]
            except Problem:  # without a version, the general description remains
                continue
        return predictors

    def _render(self, live: list[Predictor], root: str, learned: bool) -> Rendered:
        response = Response(to_json(openapi.build(self.app, live, root, learned)), media_type="application/json")
        cache = {"cache-control": "private, no-cache"} if learned else {}
        return Rendered(response, vary="Accept-Encoding, Authorization", **cache)
