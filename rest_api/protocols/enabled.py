"""The protocols that the setting PROTOCOLS enables."""

from functools import cache
from typing import Any

from ML.config.config import settings
from rest_api.protocols import kserve, mlflow, sagemaker, vertex
from rest_api.protocols.oip import routes as oip
from rest_api.protocols.protocol import WRONG_INPUT, Protocol

ALL = (oip.protocol, kserve.protocol, mlflow.protocol, sagemaker.protocol)


@cache
def protocols() -> tuple[Protocol, ...]:
    """Return the enabled protocols. If two share a path, the first one serves it and formats its errors."""
    every = (vertex.protocol(settings()), *ALL)
    return tuple(protocol for protocol in every if protocol.name in settings().protocols)


def routes() -> set[str]:
    """Return `METHOD /path` of each route that predicts or reads."""
    return {route for protocol in protocols() for route in protocol.routes}


def open_routes() -> set[str]:
    """Return `METHOD /path` of each route that needs no credentials."""
    return {route for p in protocols() if p.name in settings().open_protocols for route in p.routes}


def status(path: str, status: int) -> int:
    """Return the status of an error on this path: invalid input is 400 if the path belongs to a protocol."""
    return WRONG_INPUT if status == 422 and of(path) else status


def error(path: str, status: int, detail: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and body of an error on this path, in the format of its protocol or of FastAPI."""
    protocol = of(path)
    if protocol is None:
        return status, {"detail": detail}
    status = WRONG_INPUT if status == 422 else status
    return status, protocol.shape(status, detail)


def of(path: str) -> Protocol | None:
    """Return the protocol that a path belongs to, or None."""
    return next((protocol for protocol in protocols() if protocol.has(path)), None)
