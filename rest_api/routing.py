"""Two kinds of routes: FastAPI parses forms, once their type is checked; the hot ones read the request themselves."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from ML.errors import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class WrongContentType(Problem):
    """A body of a kind that the route does not take."""

    status = 415


def check_content_type(request: Request, wanted: str) -> None:
    """Raises WrongContentType where the body is said to be something else."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != wanted:
        raise WrongContentType(
            f"{request.url.path} takes {wanted}, not {sent or 'a body without a type'}; set the Content-Type header"
        )


class FormRoute(APIRoute):
    """A FastAPI route that takes a form; any other content type is refused before the body is read."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler behind the check."""
        parse = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if self.body_field:
                check_content_type(request, "multipart/form-data")
            return await parse(request)

        return handle


class HotRoute(APIRoute):
    """A route whose endpoint gets the Request and gives the Response: a tenth of the cost of FastAPI's machinery.

    Nothing that FastAPI would inject runs here, so a dependency would be ignored silently: it is refused at start.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.openapi_extra = {
            **(self.openapi_extra or {}),
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in self.param_convertors
            ],
        }
        unread = (
            self.dependant.dependencies
            or self.dependant.query_params
            or self.dependant.header_params
            or self.body_field
        )
        if unread or self.dependant.request_param_name != "request":
            raise TypeError(
                f"{path}: a HotRoute takes `request: Request` and nothing else; a dependency of it would never run"
            )

    def get_route_handler(self) -> Handler:
        """The endpoint itself."""
        return self.endpoint
