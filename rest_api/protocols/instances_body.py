"""`{"instances": [...]}` as KServe and Vertex AI have it: null is unset, and the peers' own keys are left aside."""

from collections.abc import Sequence

from starlette.types import Scope

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.predictor import Predictor
from ML.schema.json_rows import ParsedRows
from rest_api.http.content_types import check_content_type
from rest_api.protocols.invocations import dataframes


def check_type(scope: Scope) -> None:
    """Raises WrongContentType where the body is said to be something else than JSON; clients may say nothing."""
    if any(name == b"content-type" for name, _ in scope["headers"]):
        check_content_type(scope, b"application/json")


def parse(live: Predictor, body: bytes, forms: Sequence[str]) -> ParsedRows:
    """Return the rows of one of these forms. Raises Invalid and TooLarge.

    The usual body is parsed as on the project's own routes, in half the time.
    """
    try:
        return live.instances.parse(body, settings().max_rows)
    except Invalid as error:
        if b"NaN" not in body and all(map(_of_a_row, error.errors)):
            raise
    return dataframes.parse(live, body, forms)


def _of_a_row(error: dict[str, object]) -> bool:
    """Whether a row is wrong, and not what is around the rows."""
    place = error["loc"]
    return isinstance(place, list) and len(place) > 2 and place[:2] == ["body", "instances"]
