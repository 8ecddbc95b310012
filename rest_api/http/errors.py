"""Every error as JSON in FastAPI's shape: one handler for each kind."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Scope

from ML.errors import Invalid, Problem
from rest_api.http.prefix import route_path
from rest_api.protocols import enabled
from rest_api.telemetry import counts


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, _bug)


def answer(scope: Scope, status: int, detail: Any, headers: dict[str, str] | None = None) -> Response:
    """`{"detail": ...}`, or the status and body of the path's protocol.

    Whatever a caller sent is made safe for JSON: NaN becomes null, a lone surrogate `?`.
    """
    path = route_path(scope)
    status = enabled.status(path, status)
    body = to_json(enabled.error(path, status, _safe(detail)), inf_nan_mode="null", fallback=str)
    return Response(body, status, headers, "application/json")


async def problem(request: Request, error: Exception) -> Response:
    """The answer to what a caller can mend."""
    assert isinstance(error, Problem)
    return answer(request.scope, error.status, error.detail, error.headers)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [{key: e.get(key) for key in ("loc", "msg", "type", "input")} for e in error.errors()]
    return answer(request.scope, 422, Invalid(found).detail)


async def http(request: Request, error: Exception) -> Response:
    """The answer where there is no such route or method, or the body is too large."""
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and detail == "Not Found":
        detail = f"There is no route {request.url.path}; /docs lists them"
    if error.status_code == 405 and detail == "Method Not Allowed":
        allowed = _allowed(request)
        detail = f"{request.method} is not a method of {request.url.path}; it takes {allowed}"
        return answer(request.scope, 405, detail, {"allow": allowed})
    if error.status_code == 413:
        counts.refused("size")
        # The rest of the body is still on its way; only closing the connection stops it.
        return answer(
            request.scope,
            413,
            "The body is larger than allowed; send it in parts, gzip the CSV, or raise MAX_BODY_MB",
            {"connection": "close"},
        )
    return answer(request.scope, error.status_code, detail, dict(error.headers or {}))


def _allowed(request: Request) -> str:
    """The methods of a path, as the header has them; Starlette names those of the first route only."""
    path = route_path(request.scope)
    found = [(r, r.path_regex.match(path)) for r in request.app.routes if isinstance(r, Route)]
    matches = [(route, ":" in "".join(match.groupdict().values())) for route, match in found if match]
    # `{model}` matches `iris:predict` too, which a route of its own means.
    routes = [route for route, colon in matches if colon == min(colon for _, colon in matches)]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


async def _bug(request: Request, error: Exception) -> Response:
    """FastAPI raises it again, so that the log has it."""
    return bug(request.scope)


def bug(scope: Scope) -> Response:
    """What a caller reads of a fault of ours or of the user's estimator: the id by which the log has the traceback."""
    return answer(scope, 500, f"The server failed on this request; its log tells why under {scope['log'].id}")


def _safe(value: Any) -> Any:
    if isinstance(value, bytes):
        return value[:1000].decode("utf-8", "replace")
    if isinstance(value, str):
        return value[:1000].encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_safe(str(key)): _safe(part) for key, part in list(value.items())[:100]}
    if isinstance(value, list | tuple):
        return [_safe(part) for part in value[:1000]]
    return value
