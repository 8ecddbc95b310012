"""The app around the routes: what it does at start, and what every request passes first."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from threadpoolctl import threadpool_limits

from ML import estimators
from ML.config.config import settings
from ML.errors import Problem
from rest_api import docs, errors, logs
from rest_api.batching import Batches
from rest_api.live import Live
from rest_api.proxy import Prefix
from rest_api.security import Guard


def cap_threads() -> None:
    """One OpenMP and BLAS thread: further CPUs have workers of their own, and threads that compete are much slower."""
    threadpool_limits(1)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Loads the live versions after the fork: an OpenMP region before it hangs the workers."""
    app.state.live = Live()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4, "load", initializer=cap_threads))
    app.state.batches = Batches(settings().batch_max_rows, cap_threads)
    for name in estimators.names():
        with suppress(Problem):
            await app.state.live.take(name)
    yield
    app.state.batches.close()


def create_app(*routers: APIRouter) -> FastAPI:
    """An app of these routes. A request passes: path prefix, log line, CORS, credentials and size, then its route."""
    given = settings()
    logs.set_up(given)
    app = FastAPI(
        title="fast-ml",
        description="Train scikit-learn models and predict with them.",
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Guard, settings=given)
    if given.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=given.cors_origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Request-ID"],
        )
    app.add_middleware(logs.RequestLog)
    if given.root_path:
        app.add_middleware(Prefix, root_path=given.root_path)
    errors.install(app)
    for router in routers:
        # Not include_router: its layers cost a hot request 30 us, and these routers have no prefix for it to add.
        app.router.routes.extend(router.routes)
    docs.install(app)
    return app
