"""The app and its routes. Add yours here. It needs SERVICE_USER's credentials unless security/access.py lists it."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response

from ML.config.config import settings
from ML.prediction import loading
from ML.training import failures
from ML.versions import catalog, publishing, retention, store
from rest_api.answers import CardView, Health, ModelView, Prediction, Promotion, TablePrediction, Training
from rest_api.application import create_app
from rest_api.http import bodies
from rest_api.http import prefer as prefer_header
from rest_api.http.routes import BodyRoute, HotRoute
from rest_api.predictions import answering, csv_form, json_body
from rest_api.training import jobs, views
from rest_api.training.routes import TRAIN_FORM, TrainRoute

trainings = APIRouter(route_class=TrainRoute, tags=["CSV"])
hot = APIRouter(route_class=HotRoute)
models = APIRouter(route_class=BodyRoute, tags=["models"])
health = APIRouter(tags=["health"])

Version = Annotated[int, Path(ge=1, le=10**9)]
Prefer = Annotated[
    list[str] | None, Header(description="`respond-async` or `wait=10`: answer before the training ends")
]


@trainings.post(
    "/train_model",
    summary="Train a model from a CSV file",
    response_model=Training,
    responses={202: {"model": CardView, "description": "The training is still running; poll the URL in `Location`"}},
    openapi_extra=TRAIN_FORM,
)
async def train_model(
    request: Request,
    response: Response,
    prefer: Prefer = None,
) -> Training | Response:
    """Learn the columns, hold rows out, fit, score, save and make the version live, in a process of its own."""
    form = await csv_form.read_form(request)
    form.require("csv_file", "target_variable")
    data, target = form.file("csv_file"), form.text("target_variable")
    job = await jobs.begin(form.text("model") or settings().default_model, data, target, form.flag("force"))
    del form, data
    bodies.let_go(request)  # a training may take hours
    preference, path = prefer_header.read(prefer or ()), f"/models/{job.card.model}/versions/{job.card.version}"
    request.scope["log"].version = f"{job.card.model}/{job.card.version}"
    card = await job.outcome(preference.seconds)
    if card.state == "training":
        headers = {"Location": request.scope.get("root_path", "") + path, **preference.applied(early=True)}
        return Response(views.read_version(card).model_dump_json(by_alias=True), 202, headers, "application/json")
    response.headers.update(preference.applied(early=False))
    return Training.of(card, store.current(card.model) == card.version, job.ended is not None)


@hot.post(
    "/get_prediction",
    summary="Predict the rows of a CSV file",
    tags=["CSV"],
    responses={200: {"model": TablePrediction}},
    openapi_extra=csv_form.FORM,
)
async def get_prediction(request: Request) -> Response:
    """Return one prediction for each row. Columns may come in any order. If the target is among them, it is scored."""
    return await csv_form.answer(request)


@hot.post(
    "/predict",
    summary="Predict rows with the default model",
    tags=["JSON"],
    responses={200: {"model": Prediction}},
    openapi_extra=json_body.BODY,
)
async def predict(request: Request) -> Response:
    """Send rows as objects, or as arrays in the order of the columns.

    `"parameters": {"probabilities": true}` adds the probabilities.
    """
    return await json_body.answer(request, settings().default_model)


@hot.post(
    "/models/{model}/predict",
    summary="Predict rows with a model",
    tags=["JSON"],
    responses={200: {"model": Prediction}},
    openapi_extra=json_body.BODY,
)
async def predict_with(request: Request) -> Response:
    """Predict as /predict does, with the named model."""
    return await json_body.answer(request, request.path_params["model"])


@models.get("/models", summary="All models with their live versions")
def list_models() -> list[ModelView]:
    """Return what each model learned and its scores. `live` is null until a version is trained."""
    return [views.read_model(name) for name in catalog.names()]


@models.get("/models/{model}", summary="The live version of a model")
def show_model(model: str) -> ModelView:
    """Return its columns, an example, metrics and version."""
    return views.read_model(catalog.check(model))


@models.get("/models/{model}/versions", summary="All versions of a model, newest first")
def list_versions(model: str) -> list[CardView]:
    """Versions in training and failed ones are included."""
    return [views.read_version(failures.mark_if_dead(card)) for card in store.cards(catalog.check(model))]


@models.get("/models/{model}/versions/{version}", summary="One version")
def show_version(model: str, version: Version) -> CardView:
    """Return its status, stage, progress, columns, metrics, number of held-out rows, and any error."""
    return views.read_version(failures.mark_if_dead(store.read(catalog.check(model), version)))


@models.delete("/models/{model}/versions/{version}", status_code=204, summary="Delete a version, or stop its training")
def delete_version(model: str, version: Version) -> None:
    """A version in training is stopped and marked as failed. The live version can't be deleted: 409."""
    card = failures.mark_if_dead(store.read(catalog.check(model), version))
    with failures.store_errors():
        if card.state == "training" and failures.stop(model, version):
            return
        retention.delete(model, version)


@models.put("/models/{model}/current", summary="Make a version live: promote or roll back")
def promote(request: Request, model: str, wanted: Promotion) -> CardView:
    """Every worker uses it from its next request on. It is loaded first, so a broken version is refused."""
    loading.load(catalog.check(model), wanted.version)
    with failures.store_errors():
        card = publishing.promote(model, wanted.version)
    request.scope["log"].version = f"{model}/{wanted.version}"
    return views.read_version(card)


@health.get("/health/live", summary="The server is alive")
async def alive() -> Health:
    """Return 200 as long as the worker runs."""
    return Health(status="alive")


@health.get("/health/ready", summary="The default model can answer", responses={503: {"description": "No version yet"}})
async def ready(request: Request) -> Health:
    """Return 200 when the model is loaded and has answered its check rows; 503 if not, or if the server shuts down."""
    live = await answering.ready(request)
    return Health(status="ready", model_version=live.card.version)


app = create_app(trainings, hot, models, health)
