"""MLflow's scoring server: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/"""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from rest_api.http.routes import HotRoute
from rest_api.protocols.invocations import routes
from rest_api.protocols.protocol import Protocol, words

CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}
"""MLflow's names; whatever else there is, is BAD_REQUEST."""

router = APIRouter(tags=["MLflow"])
hot = APIRouter(route_class=HotRoute, tags=["MLflow"])


class Error(BaseModel):
    """What is wrong."""

    error_code: str
    message: str


for path in ("/ping", "/health"):
    router.add_api_route(path, routes.ping, summary="The default model can answer", response_class=Response)

hot.add_api_route(
    "/invocations",
    routes.invoke,
    methods=["POST"],
    summary="Predict rows",
    responses=routes.ANSWERS,
    openapi_extra=routes.BODY,
)


@router.get("/version", summary="The version of this server", response_class=PlainTextResponse)
async def version(request: Request) -> str:
    """Not that of MLflow."""
    return str(request.app.version)


def _shape(status: int, detail: Any) -> dict[str, Any]:
    return {"error_code": CODES.get(status, "BAD_REQUEST"), "message": words(detail)}


router.routes.extend(hot.routes)
protocol = Protocol("mlflow", router, Error, _shape)
