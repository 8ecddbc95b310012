"""The app's routes: plain ones, whose bodies FastAPI checks, and hot ones, which read the request themselves."""

import copy
from collections.abc import Callable, Coroutine, Iterable
from itertools import chain
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response, params
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Message

from ML.errors import Invalid
from rest_api.http import bodies
from rest_api.http.content_types import check_content_type

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def combined(routers: Iterable[APIRouter]) -> list[BaseRoute]:
    """Return the routes of an app, and for each GET route one that answers HEAD.

    If several routes have the same path and method, the first one wins. It gets the tags of those that share its
    endpoint. Unlike `include_router`, this keeps the routes as they are, so that HotPaths can find the hot ones.
    """
    routes: list[BaseRoute] = []
    first: dict[str, APIRoute] = {}
    for route in chain.from_iterable(router.routes for router in routers):
        if not isinstance(route, APIRoute):
            routes.append(route)
            continue
        winner = first.setdefault(f"{route.methods} {route.path}", route)
        if winner is route:
            routes.append(route)
        elif winner.endpoint is route.endpoint:
            winner.tags = list(dict.fromkeys([*winner.tags, *route.tags]))
    return [*routes, *(_head(route) for route in first.values() if "GET" in (route.methods or ()))]


def _head(route: APIRoute) -> APIRoute:
    """Return a route that answers HEAD as this one answers GET. The server leaves the body out (RFC 9110, 9.3.2).

    It is a route of its own, so that the OpenAPI document leaves it out.
    """
    head = copy.copy(route)
    head.methods, head.include_in_schema = {"HEAD"}, False
    return head


class BodyRoute(APIRoute):
    """A FastAPI route that refuses a body of the wrong content type, neither form nor JSON, before reading it."""

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler behind the check."""
        parse = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await parse(await self._checked(request))

        return handle

    async def _checked(self, request: Request) -> Request:
        """Return the request, a JSON body read and unpacked. Raises WrongContentType, and Invalid without a body."""
        if not self.body_field:
            return request
        if isinstance(self.body_field.field_info, params.Form):
            check_content_type(request.scope, b"multipart/form-data")
            return request
        check_content_type(request.scope, b"application/json")
        body = await bodies.read(request)
        if not body and self.body_field.field_info.is_required():
            raise Invalid.at(msg="the body is empty; send JSON as /docs shows it", type="missing")
        return _with_body(request, body)


def _with_body(request: Request, body: bytes) -> Request:
    """Return the request with this body, whole and unpacked, in place of its own."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, None) or await request.receive()

    return Request(request.scope, receive)


class HotRoute(APIRoute):
    """A route whose endpoint takes the Request and returns the Response, at a tenth of the cost of FastAPI's machinery.

    FastAPI injects nothing here. An endpoint with dependencies or parameters raises TypeError at start, because they
    would be ignored silently. The endpoint runs without an asyncio task (server/coroutine_runner.py), so code that asks
    for the current task, such as asyncio.timeout and anyio, raises.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._check_takes_only_the_request()
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in self.param_convertors
        ]
        self.openapi_extra = {**(self.openapi_extra or {}), "parameters": parameters}

    def get_route_handler(self) -> Handler:
        """Return the endpoint. HotPaths calls it directly; this is for requests that pass through FastAPI's layers."""
        endpoint: Handler = self.endpoint
        return endpoint

    def _check_takes_only_the_request(self) -> None:
        wants = self.dependant
        injected = (wants.dependencies, wants.query_params, wants.header_params, wants.cookie_params, wants.path_params)
        if any(injected) or self.body_field or wants.request_param_name != "request":
            raise TypeError(
                f"{self.path}: a HotRoute takes `request: Request` and nothing else; a dependency would never run"
            )


class Router(APIRouter):
    """A router for plain routes, by FastAPI's decorators, and hot ones, by `hot_post`."""

    def hot_post(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Return a decorator that adds a POST route as a HotRoute. The options are those of FastAPI's `post`."""

        def add(endpoint: Endpoint) -> Endpoint:
            self.add_api_route(path, endpoint, methods=["POST"], route_class_override=HotRoute, **options)
            return endpoint

        return add


def request_body(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a route's `openapi_extra` for a body that the route reads itself: its schema for each content type."""
    return {"requestBody": {"required": True, "content": {name: {"schema": schemas[name]} for name in schemas}}}
