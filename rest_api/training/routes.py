"""The class of the training routes, and the form that they take."""

from fastapi import Request, Response

from rest_api.http.routes import BodyRoute, Handler, request_body
from rest_api.training import jobs

TRAIN_FORM = request_body({"multipart/form-data": {
    "type": "object", "required": ["csv_file", "target_variable"], "properties": {
        "csv_file": {"type": "string", "contentMediaType": "application/octet-stream",
                     "description": "A table with a header: CSV separated by commas, `;` or tabs, gzip'd or not"},
        "target_variable": {"type": "string", "description": "The column to learn to predict", "examples": ["species"]},
        "model": {"type": "string", "default": "",
                  "description": "A module of ML/src; the default model if left out"},
        "force": {"type": "boolean", "default": False,
                  "description": "Train even if this table was trained before, and go live even with a worse score"},
    }}})  # fmt: skip
"""The request body in OpenAPI."""


class TrainRoute(BodyRoute):
    """A route that refuses requests with 403 if this server does not train (TRAINING=off)."""

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler behind the check, which runs before the body is read."""
        handle = super().get_route_handler()

        async def handle_if_allowed(request: Request) -> Response:
            jobs.check_training_allowed()
            return await handle(request)

        return handle_if_allowed
