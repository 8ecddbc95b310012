"""Paths of requests: the prefix under which a proxy serves the API, and patterns for routes."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """ASGI middleware: sets the scope's `root_path`, and a `path` that begins with it, as ASGI requires.

    The proxy may strip the prefix or not.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app, self.root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the prefix."""
        if scope["type"] == "http":
            path = scope["path"]
            inside = path.startswith(f"{self.root_path}/")
            scope = {**scope, "root_path": self.root_path, "path": path if inside else self.root_path + path}
        await self.app(scope, receive, send)


def route_path(scope: Scope) -> str:
    """Return the path without the prefix, as Starlette matches it with the routes."""
    path, root = scope["path"], scope.get("root_path", "")
    return str(path[len(root) :] if root and path.startswith(f"{root}/") else path)


def route_pattern(routes: set[str] | frozenset[str]) -> re.Pattern[str]:
    """Return a pattern that matches the paths of these routes. `{name}` stands for one segment of a path."""
    return re.compile("|".join(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route)) for route in sorted(routes)) or "(?!)")
