"""The routes of a training: closed where the server does not train."""

from fastapi import Request, Response

from rest_api.http.routes import BodyRoute, Handler
from rest_api.training import jobs


class TrainRoute(BodyRoute):
    """Closed where the server does not train, before the body is read."""

    def get_route_handler(self) -> Handler:
        """The handler behind the check."""
        handle = super().get_route_handler()

        async def allowed(request: Request) -> Response:
            jobs.check_training_allowed()
            return await handle(request)

        return allowed
