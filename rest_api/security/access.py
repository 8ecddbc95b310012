"""Which routes are public, open or for the predictor. Closed unless said to be open."""

from dataclasses import dataclass
from re import Pattern

from starlette.types import Scope

from rest_api.http.paths import route_path, route_pattern

HEALTH = frozenset({"/health/live", "/health/ready"})
DOCS = frozenset(
    {"/", "/docs", "/openapi.json", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon-32x32.png"}
)
# What PREDICT_USER may do. All else is for SERVICE_USER alone.
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


@dataclass(frozen=True)
class Access:
    """Who may call which route. `METHOD /path` of each: HEAD counts as GET."""

    public: frozenset[str]
    """Paths that anybody may GET."""
    open: Pattern[str]
    """Routes of the protocols that answer without credentials."""
    predictor: Pattern[str]
    """What PREDICT_USER may call."""

    @classmethod
    def of(cls, docs_public: bool, protocols: set[str], opened: set[str]) -> "Access":
        """`protocols`: the routes of platforms' protocols that predict or read; `opened`: those without credentials."""
        public = HEALTH | DOCS if docs_public else HEALTH
        return cls(public, route_pattern(opened), route_pattern(PREDICTOR | protocols))

    def is_public(self, scope: Scope) -> bool:
        """Whether the request needs no credentials."""
        method, path = _method(scope), route_path(scope)
        return (method == "GET" and path in self.public) or bool(self.open.fullmatch(f"{method} {path}"))

    def is_predictors(self, scope: Scope) -> bool:
        """Whether PREDICT_USER may send the request."""
        method, path = _method(scope), route_path(scope)
        return (method == "GET" and path in HEALTH | DOCS) or bool(self.predictor.fullmatch(f"{method} {path}"))


def _method(scope: Scope) -> str:
    return "GET" if scope["method"] == "HEAD" else str(scope["method"])
