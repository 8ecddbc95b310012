"""Calls the hot routes directly. FastAPI's layers and its search for the route would cost more than a prediction."""

from functools import cached_property

from fastapi import FastAPI, Request
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from ML.errors import Problem
from ML.versions import catalog
from rest_api.http.errors import Errors
from rest_api.http.paths import route_path
from rest_api.http.routes import HotRoute


class HotPaths:
    """ASGI app: calls the endpoint of a hot route, and passes all other requests to FastAPI.

    If middleware was added to the app, or tracing is on, all requests go through FastAPI, so that none bypasses them.
    """

    def __init__(self, app: FastAPI, rest: ASGIApp, errors: Errors) -> None:
        self.app, self.rest, self.errors = app, rest, errors

    @cached_property
    def routes(self) -> dict[str, tuple[HotRoute, dict[str, str]]]:
        """The hot routes by their paths, with the model's name filled in, and their path parameters."""
        traced = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        if self.app.user_middleware or traced:
            return {}
        # In reverse, so that of two routes with the same path the first one wins, as elsewhere.
        hot = [route for route in reversed(self.app.routes) if isinstance(route, HotRoute)]
        plain: dict[str, tuple[HotRoute, dict[str, str]]] = {r.path: (r, {}) for r in hot if not r.param_convertors}
        named = [route for route in hot if set(route.param_convertors) == {"model"}]
        return {r.path.format(model=name): (r, {"model": name}) for r in named for name in catalog.names()} | plain

    def has(self, scope: Scope) -> bool:
        """Return whether a hot route answers this request."""
        return scope["method"] == "POST" and scope["path"] in self.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, with an error if the route raises a Problem."""
        hot = self.routes.get(route_path(scope)) if scope["type"] == "http" and scope["method"] == "POST" else None
        if hot is None:
            await self.rest(scope, receive, send)
            return
        scope["app"], scope["route"], scope["path_params"] = self.app, *hot
        try:
            response = await hot[0].endpoint(Request(scope, receive, send))
        except (Problem, HTTPException) as error:
            answer = self.errors.problem if isinstance(error, Problem) else self.errors.http
            response = await answer(Request(scope, receive, send), error)
        await response(scope, receive, send)
