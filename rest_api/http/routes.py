"""Two kinds of routes: FastAPI checks bodies, once their type is known; the hot ones read the request themselves."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response, params
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

from ML.errors import Invalid
from rest_api.http import bodies
from rest_api.http.content_types import check_content_type

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class BodyRoute(APIRoute):
    """A FastAPI route; a body of another content type than it takes, a form or JSON, is refused before it is read."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler behind the check."""
        parse = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if self.body_field and isinstance(self.body_field.field_info, params.Form):
                check_content_type(request.scope, b"multipart/form-data")
            elif self.body_field:
                check_content_type(request.scope, b"application/json")
                body = await bodies.read(request)
                if not body and self.body_field.field_info.is_required():
                    raise Invalid.at("body", msg="the body is empty; send JSON as /docs shows it", type="missing")
                request = _with_body(request, body)
            return await parse(request)

        return handle


def _with_body(request: Request, body: bytes) -> Request:
    """The request with this body, whole and unpacked, in place of its own."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, None) or await request.receive()

    return Request(request.scope, receive)


class HotRoute(APIRoute):
    """A route whose endpoint gets the Request and gives the Response: a tenth of the cost of FastAPI's machinery.

    Nothing that FastAPI would inject runs here, so a dependency would be ignored silently: it is refused at start.
    It runs without a task (cycle.py): what asks for the current one, as asyncio.timeout and anyio do, raises there.
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
            or self.dependant.cookie_params
            or self.dependant.path_params
            or self.body_field
        )
        if unread or self.dependant.request_param_name != "request":
            raise TypeError(
                f"{path}: a HotRoute takes `request: Request` and nothing else; a dependency of it would never run"
            )

        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


class Router(APIRouter):
    """A router for plain routes, by FastAPI's decorators, and hot ones, by `hot_post`."""

    def hot_post(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Return a decorator that adds a POST route as a HotRoute. The options are those of FastAPI's `post`."""

        def add(endpoint: Endpoint) -> Endpoint:
            self.add_api_route(path, endpoint, methods=["POST"], route_class_override=HotRoute, **options)
            return endpoint

        return add
