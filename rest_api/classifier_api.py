"""The app and its routes. Add yours here: a route is closed without credentials unless security.py names it."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import APIRouter, FastAPI, File, Form, Path, Request, Response, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from ML import estimators, predictor, store
from ML.config.config import settings
from ML.errors import Problem
from rest_api import docs, errors, jobs, logs, predictions
from rest_api.answers import CardView, Health, ModelView, Prediction, Promotion, TablePrediction, Training
from rest_api.live import Live
from rest_api.routing import FormRoute, HotRoute
from rest_api.security import Guard

forms = APIRouter(route_class=FormRoute, tags=["CSV"])
hot = APIRouter(route_class=HotRoute, tags=["JSON"])
models = APIRouter(tags=["models"])
health = APIRouter(tags=["health"])

Csv = Annotated[UploadFile, File(description="A table with a header: CSV, `;` or tab separated, gzip'd or not")]
Model = Annotated[
    str | None, Form(description="A module of ML/src; the default model if left out", examples=["classifier"])
]
Version = Annotated[int, Path(ge=1, le=10**9)]


@forms.post("/train_model", summary="Train a model from a CSV file")
async def train_model(
    csv_file: Csv,
    target_variable: Annotated[str, Form(description="The column to learn to predict", examples=["species"])],
    model: Model = None,
) -> Training:
    """Learns the columns, holds rows out, fits, scores, saves and makes the version live, in a process of its own."""
    card = await jobs.train(model or settings().default_model, await csv_file.read(), target_variable)
    return Training.of(card, store.current(card.model) == card.version)


@forms.post("/get_prediction", summary="Predict the rows of a CSV file", response_model=TablePrediction)
async def get_prediction(
    request: Request,
    csv_file: Csv,
    target_variable: Annotated[str | None, Form(description="The target's column, to score the predictions")] = None,
    model: Model = None,
    probabilities: Annotated[bool, Form()] = False,
) -> Response:
    """One prediction for each row. Columns in any order; where the target is among them, the answer has its score."""
    live = await predictions.take(request, model or settings().default_model)
    return await predictions.of_table(request, live, await csv_file.read(), target_variable, probabilities)


@hot.post(
    "/predict",
    summary="Predict rows with the default model",
    responses={200: {"model": Prediction}},
    openapi_extra=predictions.BODY,
)
async def predict(request: Request) -> Response:
    """Rows as objects, or as arrays in the order of the columns; `"parameters": {"probabilities": true}` adds those."""
    return await predictions.of_json(request, settings().default_model)


@hot.post(
    "/models/{model}/predict",
    summary="Predict rows with a model",
    responses={200: {"model": Prediction}},
    openapi_extra=predictions.BODY,
)
async def predict_with(request: Request) -> Response:
    """The same as /predict for a named model."""
    return await predictions.of_json(request, request.path_params["model"])


@models.get("/models", summary="All models with their live versions")
def list_models() -> list[ModelView]:
    """What each model learned and how well it does; `live` is null where nothing is trained yet."""
    return [ModelView.of(name) for name in estimators.names()]


@models.get("/models/{model}", summary="The live version of a model")
def show_model(model: str) -> ModelView:
    """Columns, example, metrics and version."""
    return ModelView.of(estimators.check(model))


@models.get("/models/{model}/versions", summary="All versions of a model, newest first")
def list_versions(model: str) -> list[CardView]:
    """Those in training and failed ones included."""
    return [CardView.of(store.read(model, version)) for version in store.versions(estimators.check(model))]


@models.get("/models/{model}/versions/{version}", summary="One version")
def show_version(model: str, version: Version) -> CardView:
    """Its card: state, columns, metrics, how many rows were held out, what went wrong."""
    return CardView.of(store.read(estimators.check(model), version))


@models.delete("/models/{model}/versions/{version}", status_code=204, summary="Delete a version that is not live")
def delete_version(model: str, version: Version) -> None:
    """The live one and one in training stay: 409."""
    store.delete(estimators.check(model), version)


@models.put("/models/{model}/current", summary="Make a version live: promote or roll back")
def promote(model: str, wanted: Promotion) -> CardView:
    """Every worker answers with it from its next request on. It is loaded once first, so a broken one is refused."""
    predictor.load(estimators.check(model), wanted.version)
    return CardView.of(store.promote(model, wanted.version))


@health.get("/health/live", summary="The server is alive")
async def alive() -> Health:
    """Answers as long as the worker does."""
    return Health(status="alive")


@health.get("/health/ready", summary="The default model can answer", responses={503: {"description": "No version yet"}})
async def ready(request: Request) -> Health:
    """200 when a predictor is loaded, else 503."""
    live = await request.app.state.live.take(settings().default_model)
    return Health(status="ready", model_version=live.card.version)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Loads the live versions after the fork: an OpenMP region before it hangs the workers."""
    logs.set_up(settings())
    app.state.live = Live()
    with ThreadPoolExecutor(1, "predict") as app.state.thread:
        for name in estimators.names():
            with suppress(Problem):
                await app.state.live.take(name)
        yield


def create_app() -> FastAPI:
    """The app. Outermost first: log line, CORS, credentials and size, then the routes."""
    given = settings()
    app = FastAPI(
        title="fast-ml",
        description="Train scikit-learn models and predict with them.",
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        root_path=given.root_path,
    )
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=given.max_body_bytes)
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
    errors.install(app)
    for router in (forms, hot, models, health):
        app.include_router(router)
    docs.install(app)
    return app


app = create_app()
