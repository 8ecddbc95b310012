"""Swagger UI with every asset local, and the OpenAPI document of the live models."""

import asyncio
from datetime import datetime
from functools import lru_cache

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from pydantic_core import to_json
from starlette.responses import RedirectResponse

from ML.errors import Problem
from ML.prediction.predictor import Predictor
from ML.versions import catalog
from rest_api.docs import openapi
from rest_api.docs.rendered import Rendered
from rest_api.security import page_headers

router = APIRouter(include_in_schema=False)

Versions = list[tuple[str, datetime]]
"""Names of versions, and when they were made: the number of a deleted one may be taken again."""

MOST = 4
"""Documents kept: with and without credentials, below each path prefix, of which there is one."""


def install(app: FastAPI) -> None:
    """Adds the pages and the document."""
    app.state.documents = Documents(app)
    app.router.routes.extend(router.routes)
    app.mount("/docs", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")


@router.get("/")
async def home(request: Request) -> Response:
    """Leads to the docs."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")


@router.get("/docs")
async def swagger(request: Request) -> Response:
    """Swagger UI."""
    return _page(request.app.title, request.scope.get("root_path", "")).answer(request.scope)


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """The OpenAPI document as the models are now; its examples are those that they learned only with credentials."""
    learned = request.scope["log"].user != "-"
    documents: Documents = request.app.state.documents
    found = await documents.take(request.scope.get("root_path", ""), learned)
    return found.answer(request.scope)


@lru_cache(MOST)
def _page(title: str, root: str) -> Rendered:
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=f"{title} - Swagger UI",
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon-32x32.png",
        swagger_ui_parameters={"displayRequestDuration": True, "defaultModelsExpandDepth": -1},
    )
    return Rendered(page_headers.allow_own_script(page))


@lru_cache(1)
def _models(changed: int) -> list[str]:
    """The models since the folder changed: to list them takes ten times as long as to look when that was."""
    return catalog.names()


class Documents:
    """The documents of an app. Each is rendered again when another version is live."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._kept: dict[tuple[str, bool], tuple[Versions, asyncio.Task[Rendered]]] = {}

    async def take(self, root: str, learned: bool) -> Rendered:
        """Return the document of the live versions. Callers who come while it is rendered wait for it together."""
        live = await self._live()
        versions = [(each.name, each.card.created) for each in live]
        kept, task = self._kept.get((root, learned), (None, None))
        if task is None or kept != versions or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(asyncio.to_thread(self._render, live, root, learned))
            self._kept[root, learned] = versions, task
            if len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
        return await asyncio.shield(task)

    async def _live(self) -> list[Predictor]:
        found = []
        for model in _models(catalog.SOURCE.stat().st_mtime_ns):
            try:
                found.append(await self.app.live.take(model))  # type: ignore[attr-defined]
            except Problem:  # no version yet: the general description stands
                continue
        return found

    def _render(self, live: list[Predictor], root: str, learned: bool) -> Rendered:
        response = Response(to_json(openapi.build(self.app, live, root, learned)), media_type="application/json")
        cache = {"cache-control": "private, no-cache"} if learned else {}
        return Rendered(response, vary="Accept-Encoding, Authorization", **cache)
