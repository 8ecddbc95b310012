"""MLflow's scoring server: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/"""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from rest_api.http.routes import Router
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
"""MLflow's error codes by status; BAD_REQUEST for all others."""

router = Router(tags=["MLflow"])


class Error(BaseModel):
    """The body of an error."""

    error_code: str
    message: str


for path in ("/ping", "/health"):
    router.add_api_route(path, routes.ping, summary="The default model can predict", response_class=Response)


@router.get("/version", summary="The version of this server", response_class=PlainTextResponse)
async def version(request: Request) -> str:
    """The version of this server, not of MLflow."""
    return str(request.app.version)


router.hot_post("/invocations", summary="Predict rows", responses=routes.ANSWERS, openapi_extra=routes.BODY)(
    routes.invoke
)


def _shape(status: int, detail: Any) -> dict[str, Any]:
    return {"error_code": CODES.get(status, "BAD_REQUEST"), "message": words(detail)}


protocol = Protocol("mlflow", router, Error, _shape)
