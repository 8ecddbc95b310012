"""The app around the routes: what it does at start, and what every request passes first."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from threadpoolctl import threadpool_limits

from ML.config.config import settings
from ML.errors import Problem
from ML.versions import catalog
from rest_api.docs import routes as docs
from rest_api.docs.documents import Documents
from rest_api.http.errors import Errors
from rest_api.http.hot_paths import HotPaths
from rest_api.http.paths import Prefix
from rest_api.http.routes import combined
from rest_api.protocols import enabled
from rest_api.protocols.enabled import protocols
from rest_api.security.access import Access
from rest_api.security.guard import Guard
from rest_api.security.page_headers import PageHeaders
from rest_api.serving.batches import Batches
from rest_api.serving.live_models import LiveModels
from rest_api.telemetry import counts, log_setup, prometheus, request_log


def cap_threads() -> None:
    """One OpenMP and BLAS thread: further CPUs have workers of their own, and threads that compete are much slower."""
    threadpool_limits(1)


async def _load(live: LiveModels, names: list[str]) -> None:
    """Loads models that nobody has asked for yet. One that can't be had says so when it is asked."""
    for name in names:
        with suppress(Problem):
            await live.take(name)


@asynccontextmanager
async def lifespan(app: "Application") -> AsyncIterator[None]:
    """Loads the live versions after the fork: an OpenMP region before it hangs the workers."""
    cap_threads()
    app.live = LiveModels()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4, "load", initializer=cap_threads))
    app.batches = Batches(settings(), cap_threads)
    counts.start(app.batches, prometheus.shared().add)
    # A worker that takes the place of another serves again with its first model; the others follow.
    first = settings().default_model
    with suppress(Problem):
        await app.live.take(first)
    others = asyncio.create_task(_load(app.live, [name for name in catalog.names() if name != first]))
    yield
    others.cancel()
    app.batches.close()
    counts.flush()


class Application(FastAPI):
    """FastAPI behind what every request passes: path prefix, log line, CORS, credentials and size; then its route.

    It stands before FastAPI's own layers, not among them, so that the hot routes need not pass those.
    """

    live: LiveModels
    batches: Batches

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        given = settings()
        self.state.draining = False
        self.state.documents = Documents(self)
        errors = Errors(enabled.error)
        errors.install(self)
        self.lane = HotPaths(self, PageHeaders(super().__call__), errors)
        access = Access.of(given.docs_public, enabled.routes(), enabled.open_routes())
        front: ASGIApp = Guard(self.lane, given, access, enabled.error)
        if given.cors_origins:
            front = CORSMiddleware(
                front,
                allow_origins=given.cors_origins,
                allow_methods=["*"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["X-Request-ID"],
            )
        front = request_log.RequestLog(front, given.log_format, errors.bug)
        self.front = Prefix(front, given.root_path) if given.root_path else front

    def hot(self, scope: Scope) -> ASGIApp | None:
        """What answers a hot route's request: it neither needs a task nor looks at headers of a proxy."""
        return self.front if self.lane.has(scope) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await (super().__call__ if scope["type"] == "lifespan" else self.front)(scope, receive, send)


def create_app(*routers: APIRouter) -> FastAPI:
    """An app of these routes, with errors and docs."""
    log_setup.set_up(settings())
    chosen = [protocol.router for protocol in protocols() if protocol.chosen]
    others = [protocol.router for protocol in protocols() if not protocol.chosen]
    return Application(
        title="fast-ml",
        description="Train scikit-learn models and predict with them.",
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        telemetry={"auto_configure": True},  # by the OTEL_* variables; without an endpoint there, nothing
        routes=combined([*chosen, *routers, prometheus.router, *others, docs.router]),
    )
