"""Answers every error with JSON in FastAPI's shape, or in that of a platform's protocol."""

import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Scope

from ML.errors import Invalid, Problem
from rest_api.http.paths import route_path
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.refused")

TOO_LARGE = "The body is larger than allowed; send it in parts, gzip the CSV, or raise MAX_BODY_MB"

Shape = Callable[[str, int, Any], tuple[int, dict[str, Any]]]
"""Returns the status and body of an error, from path, status and detail. The path's protocol determines both."""


class Errors:
    """Makes the answers to errors. Whatever the caller sent, they are valid JSON: NaN is null, a lone surrogate `?`."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def install(self, app: FastAPI) -> None:
        """Register a handler for each kind of error."""
        app.add_exception_handler(Problem, self.problem)
        app.add_exception_handler(RequestValidationError, self._validation)
        app.add_exception_handler(HTTPException, self.http)
        app.add_exception_handler(Exception, self._bug)

    def answer(self, scope: Scope, status: int, detail: Any, headers: dict[str, str] | None = None) -> Response:
        """Return `{"detail": ...}`, or the error of the path's protocol."""
        status, fields = self._shape(route_path(scope), status, _safe(detail))
        return Response(to_json(fields, inf_nan_mode="null", fallback=str), status, headers, "application/json")

    async def problem(self, request: Request, error: Exception) -> Response:
        """Return the answer to an error that the caller can fix."""
        assert isinstance(error, Problem)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s refused: %s %s", request.scope["log"].id, error.status, _reason(error))
        detail = [_in_body(each) for each in error.detail] if isinstance(error, Invalid) else error.detail
        return self.answer(request.scope, error.status, detail, error.headers)

    async def _validation(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [{key: e.get(key) for key in ("loc", "msg", "type", "input")} for e in error.errors()]
        # FastAPI puts the part of the request in front itself. Only the entry that counts further errors has no place.
        detail = [each if each["loc"] else _in_body(each) for each in Invalid(errors).detail]
        return self.answer(request.scope, 422, detail)

    async def http(self, request: Request, error: Exception) -> Response:
        """Return the answer for an unknown route or method, or a body that is too large."""
        assert isinstance(error, HTTPException)
        scope, detail = request.scope, error.detail
        if error.status_code == 404 and detail == "Not Found":
            detail = f"There is no route {request.url.path}; /docs lists them"
        if error.status_code == 405 and detail == "Method Not Allowed":
            allowed = _allowed(request)
            detail = f"{request.method} is not a method of {request.url.path}; it takes {allowed}"
            return self.answer(scope, 405, detail, {"allow": allowed})
        if error.status_code == 413:
            counts.refused("size")
            # The client is still sending the body. Only closing the connection stops it.
            return self.answer(scope, 413, TOO_LARGE, {"connection": "close"})
        return self.answer(scope, error.status_code, detail, dict(error.headers or {}))

    async def _bug(self, request: Request, error: Exception) -> Response:
        """Return the answer to a bug. FastAPI raises the error again, so that the log has the traceback."""
        return self.bug(request.scope)

    def bug(self, scope: Scope) -> Response:
        """Return the answer to a bug, here or in the user's estimator. It names the id of the traceback in the log."""
        return self.answer(scope, 500, f"The server failed on this request; see its log for {scope['log'].id}")


def _in_body(error: dict[str, Any]) -> dict[str, Any]:
    return {**error, "loc": ["body", *error["loc"]]}


def _allowed(request: Request) -> str:
    """Return the methods of a path for the Allow header. Starlette lists those of the first route only."""
    path = route_path(request.scope)
    tried = [(r, r.path_regex.match(path)) for r in request.app.routes if isinstance(r, Route)]
    matches = [(route, ":" in "".join(match.groupdict().values())) for route, match in tried if match]
    # `{model}` matches `iris:predict` too, but that path belongs to a route of its own.
    routes = [route for route, colon in matches if colon == min(colon for _, colon in matches)]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


def _reason(error: Problem) -> str:
    """Return an error for the log. Messages about the input may quote it, so only the kinds of mistakes are named."""
    if isinstance(error, Invalid):
        return f"{error.count} errors: {', '.join(sorted({str(e['type']) for e in error.errors}))}"
    return f"{type(error).__name__}: {str(error)!a}" if error.status in (409, 503, 507) else type(error).__name__


def _safe(value: Any) -> Any:
    """Return the value without what JSON can't express. Long texts and lists are cut."""
    if isinstance(value, bytes):
        return value[:1000].decode("utf-8", "replace")
    if isinstance(value, str):
        return value[:1000].encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_safe(str(key)): _safe(part) for key, part in list(value.items())[:100]}
    if isinstance(value, list | tuple):
        return [_safe(part) for part in value[:1000]]
    return value
