"""Paths of requests: behind a proxy that serves the API under a prefix, and patterns for routes."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """ASGI middleware: gives the scope its `root_path`, and a `path` that begins with it, as ASGI wants.

    The proxy may take the prefix off or not.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app, self.root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on under the prefix."""
        if scope["type"] == "http":
            path = scope["path"]
            inside = path.startswith(f"{self.root_path}/")
            scope = {**scope, "root_path": self.root_path, "path": path if inside else self.root_path + path}
        await self.app(scope, receive, send)


def route_path(scope: Scope) -> str:
    """Return the path as the routes see it: like Starlette, without the prefix under which a proxy serves the app."""
    path, root = scope["path"], scope.get("root_path", "")
    return str(path[len(root) :] if root and path.startswith(f"{root}/") else path)


def route_pattern(routes: set[str] | frozenset[str]) -> re.Pattern[str]:
    """Matches what these routes match: `{name}` stands for one part of a path."""
    return re.compile("|".join(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route)) for route in sorted(routes)) or "(?!)")
