"""A platform's protocol: its routes, and the format of its errors. The rest is shared with the project's own routes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from rest_api.http.paths import route_pattern

Shape = Callable[[int, Any], dict[str, Any]]
"""Returns the body of an error from its status and detail, which is a text or FastAPI's list."""

WRONG_INPUT = 400
"""Status for invalid input in all protocols. FastAPI and the project's own routes use 422."""


@dataclass(frozen=True, eq=False)
class Protocol:
    """A protocol, under its name in the setting PROTOCOLS."""

    name: str
    router: APIRouter
    error: type[BaseModel]
    """The body of an error in OpenAPI."""
    shape: Shape
    """Renders the body of an error."""
    prefix: str = "\0"
    """The beginning of all paths of the protocol, including unknown ones, if they have a common one."""
    chosen: bool = False
    """Whether the operator configured its paths, which then take precedence over all other routes."""
    trainer: frozenset[str] = frozenset()
    """`METHOD /path` of the routes that change what is served: for SERVICE_USER only, never open."""

    @cached_property
    def _paths(self) -> re.Pattern[str]:
        return route_pattern({route.path for route in self.router.routes})  # type: ignore[attr-defined]

    @property
    def routes(self) -> set[str]:
        """`METHOD /path` of each route that predicts or reads."""
        every = {f"{method} {r.path}" for r in self.router.routes for method in r.methods}  # type: ignore[attr-defined]
        return every - self.trainer

    def has(self, path: str) -> bool:
        """Return whether a path belongs to the protocol, by its routes or their common beginning."""
        return path.startswith(self.prefix) or bool(self._paths.fullmatch(path))


def words(detail: Any) -> str:
    """Return a detail as one text, for protocols whose errors are texts."""
    if isinstance(detail, str):
        return detail
    return "; ".join(str(each["msg"]) for each in detail)
