"""Which routes need no credentials, and which ones PREDICT_USER may call. All others are for SERVICE_USER."""

from dataclasses import dataclass
from re import Pattern

from starlette.types import Scope

from rest_api.http.paths import route_path, route_pattern

HEALTH = frozenset({"/health/live", "/health/ready"})
DOCS = frozenset(
    {"/", "/docs", "/openapi.json", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon-32x32.png"}
)
PREDICTOR = frozenset(
    {
        "POST /predict",
        "POST /models/{model}/predict",
        "POST /get_prediction",
        "GET /models",
        "GET /models/{model}",
        "GET /models/{model}/versions",
        "GET /models/{model}/versions/{version}",
        "GET /metrics",
    }
)
"""The routes that PREDICT_USER may call, besides those of the protocols."""


@dataclass(frozen=True)
class Access:
    """Who may call which route. Routes are written as `METHOD /path`, and HEAD counts as GET."""

    public: frozenset[str]
    """Paths that need no credentials for GET."""
    open: Pattern[str]
    """Routes of the protocols that need no credentials."""
    predictor: Pattern[str]
    """Routes that PREDICT_USER may call."""

    @classmethod
    def of(cls, docs_public: bool, protocols: set[str], opened: set[str]) -> "Access":
        """Return the access to the project's routes and to those of the protocols, some of which may be `opened`."""
        public = HEALTH | DOCS if docs_public else HEALTH
        return cls(public, route_pattern(opened), route_pattern(PREDICTOR | protocols))

    def is_public(self, scope: Scope) -> bool:
        """Return whether the request needs no credentials."""
        method, path = _method(scope), route_path(scope)
        return (method == "GET" and path in self.public) or bool(self.open.fullmatch(f"{method} {path}"))

    def is_predictors(self, scope: Scope) -> bool:
        """Return whether PREDICT_USER may send the request."""
        method, path = _method(scope), route_path(scope)
        return (method == "GET" and path in HEALTH | DOCS) or bool(self.predictor.fullmatch(f"{method} {path}"))


def _method(scope: Scope) -> str:
    return "GET" if scope["method"] == "HEAD" else str(scope["method"])
