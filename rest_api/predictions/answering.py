"""What every prediction route does: take the live predictor first, then check and predict the rows with it."""

from fastapi import Request

from ML.config.config import settings
from ML.errors import NotReady
from ML.prediction.answers import Answer
from ML.prediction.predictor import Predictor
from rest_api.serving.batches import Batches
from rest_api.serving.job import Columns
from rest_api.serving.live_models import LiveModels


async def take(request: Request, model: str) -> Predictor:
    """Return the live predictor of a model and note its version for the log line. Raises NotFound and NotReady."""
    live_models: LiveModels = request.app.live
    live = live_models.fresh.get(model) or await live_models.take(model)
    request.scope["log"].version = live.name
    return live


async def ready(request: Request) -> Predictor:
    """Return the predictor of the default model. Raises NotReady if there is none, and while the server shuts down."""
    if request.app.state.draining:
        raise NotReady("The server is shutting down and stops accepting requests in SHUTDOWN_DELAY seconds")
    live: Predictor = await request.app.live.take(settings().default_model)
    return live


async def predict(request: Request, live: Predictor, columns: Columns, rows: int, probabilities: bool) -> Answer:
    """Return the predictions for converted rows, given as one sequence of values per column.

    Every route predicts through this function; concurrent requests share calls of the model. Raises Overloaded,
    whatever the model raises for these rows, and RuntimeError unless it returned one prediction per row.
    """
    batches: Batches = request.app.batches
    answer = await batches.predict(live, columns, rows, probabilities)
    if len(answer.predictions) != rows:
        raise RuntimeError(f"{live.name} returned {len(answer.predictions)} predictions for {rows} rows")
    return answer
