"""`{"instances": [...]}` for KServe V1 and Vertex AI: null counts as unset, and the platforms' own keys are ignored."""

from collections.abc import Sequence

from starlette.types import Scope

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.predictor import Predictor
from ML.schema.json_rows import ParsedRows
from rest_api.http.content_types import check_content_type
from rest_api.protocols.invocations import dataframes


def check_type(scope: Scope) -> None:
    """Raise WrongContentType if the Content-Type is another than JSON. The header may be missing."""
    if any(name == b"content-type" for name, _ in scope["headers"]):
        check_content_type(scope, b"application/json")


def parse(live: Predictor, body: bytes, forms: Sequence[str]) -> ParsedRows:
    """Return the rows in one of these forms. Raise Invalid and TooLarge.

    The parser of the project's own routes comes first, because it takes half the time for the usual body.
    """
    try:
        return live.instances.parse(body, settings().max_rows)
    except Invalid as error:
        if b"NaN" not in body and all(map(_concerns_row, error.errors)):
            raise
    return dataframes.parse(live, body, forms)


def _concerns_row(error: dict[str, object]) -> bool:
    """Return whether an error is in a row, and not in the object around the rows."""
    location = error["loc"]
    return isinstance(location, list) and len(location) > 1 and location[0] == "instances"
