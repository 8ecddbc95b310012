"""A platform's protocol: its routes, and the shape of its errors. Rows, checks, batches and answers are everybody's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from rest_api.http.paths import route_pattern

Shape = Callable[[int, Any], dict[str, Any]]

WRONG_INPUT = 400
"""Status of wrong input in every platform's protocol. FastAPI and the project's own routes have 422 for it."""


@dataclass(frozen=True, eq=False)
class Protocol:
    """What a file of this folder offers, under the name that PROTOCOLS has for it."""

    name: str
    router: APIRouter
    error: type[BaseModel]
    """The body of an error."""
    shape: Shape
    """Status and detail (a text, or FastAPI's list) as such a body."""
    prefix: str = "\0"
    """What all paths begin with, those too that the server does not have, if the protocol has such a beginning."""
    chosen: bool = False
    """Whether somebody chose its paths: then they win over any other route."""
    trainer: frozenset[str] = frozenset()
    """`METHOD /path` of the routes that change what is served: for SERVICE_USER alone, never open."""

    @cached_property
    def _paths(self) -> re.Pattern[str]:
        return route_pattern({route.path for route in self.router.routes})  # type: ignore[attr-defined]

    @property
    def routes(self) -> set[str]:
        """`METHOD /path` of each route that predicts or reads."""
        found = {f"{method} {r.path}" for r in self.router.routes for method in r.methods}  # type: ignore[attr-defined]
        return found - self.trainer

    def has(self, path: str) -> bool:
        """Whether one of its routes has this path, or it begins as those do."""
        return path.startswith(self.prefix) or bool(self._paths.fullmatch(path))


def words(detail: Any) -> str:
    """A detail as one text, for protocols whose errors are texts."""
    if isinstance(detail, str):
        return detail
    return "; ".join(str(each["msg"]) for each in detail)
