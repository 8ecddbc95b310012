"""The app around the routes: what happens at start, and the layers that every request passes first."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from threadpoolctl import threadpool_limits

from ML.config.config import Settings, settings
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
    """Limit OpenMP and BLAS to one thread. Other CPUs have workers of their own, and competing threads are slow."""
    threadpool_limits(1)


async def _load(live: LiveModels, names: list[str]) -> None:
    """Preload the remaining models. A model that fails to load reports the error on its first request."""
    for name in names:
        with suppress(Problem):
            await live.take(name)


@asynccontextmanager
async def lifespan(app: "Application") -> AsyncIterator[None]:
    """Load the live versions. This must happen after the fork, because OpenMP before it would hang the workers."""
    cap_threads()
    app.live = LiveModels()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4, "load", initializer=cap_threads))
    app.batches = Batches(settings(), cap_threads)
    counts.start(app.batches, prometheus.shared().add)
    # A worker that replaces another one can serve as soon as it has its first model.
    first = settings().default_model
    with suppress(Problem):
        await app.live.take(first)
    others = asyncio.create_task(_load(app.live, [name for name in catalog.names() if name != first]))
    yield
    others.cancel()
    app.batches.close()
    counts.flush()


class Application(FastAPI):
    """FastAPI behind the layers that every request passes: path prefix, log line, CORS, credentials and size.

    They are in front of FastAPI's own layers, not among them, so that hot routes skip FastAPI's.
    """

    live: LiveModels
    batches: Batches

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.state.draining = False
        self.state.documents = Documents(self)
        errors = Errors(enabled.error)
        errors.install(self)
        self.hot_paths = HotPaths(self, PageHeaders(super().__call__), errors)
        self.front = _layers(self.hot_paths, errors, settings())

    def hot(self, scope: Scope) -> ASGIApp | None:
        """Return the app for a request to a hot route, which needs no task; None for other requests."""
        return self.front if self.hot_paths.has(scope) else None

    def drain(self) -> None:
        """Report not ready from now on. The server calls this when it is about to stop."""
        self.state.draining = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through the layers."""
        await (super().__call__ if scope["type"] == "lifespan" else self.front)(scope, receive, send)


def _layers(app: ASGIApp, errors: Errors, settings: Settings) -> ASGIApp:
    """Return the app behind the layers, the outermost one first: prefix, log, CORS, guard."""
    access = Access.of(settings.docs_public, enabled.routes(), enabled.open_routes())
    app = Guard(app, settings, access, enabled.error)
    if settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Request-ID"],
        )
    app = request_log.RequestLog(app, settings.log_format, errors.bug)
    return Prefix(app, settings.root_path) if settings.root_path else app


def create_app(*routers: APIRouter) -> FastAPI:
    """Return an app with these routes, and those of the protocols, the metrics and the docs."""
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
        telemetry={"auto_configure": True},  # configured by OTEL_* variables; does nothing without an endpoint
        routes=combined([*chosen, *routers, prometheus.router, *others, docs.router]),
    )
