"""The content type of a request's body, checked before a byte of the body is read."""

from starlette.types import Scope

from ML.errors import Problem

REMEDIES = {
    b"multipart/form-data": "send the file in a form, with curl -F csv_file=@table.csv; JSON rows go to /predict",
    b"application/json": "set the Content-Type header; a CSV file goes to /get_prediction, in a form",
}


class WrongContentType(Problem):
    """The route doesn't accept a body of this content type."""

    status = 415


def check_content_type(scope: Scope, expected: bytes) -> str:
    """Return the Content-Type header. Raises WrongContentType if it names another type."""
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
    if content_type != expected and content_type.partition(b";")[0].strip().lower() != expected:
        actual = content_type[:100].decode("latin-1") or "a body without a type"
        raise WrongContentType(f"{scope['path']} takes {expected.decode()}, not {actual}; {REMEDIES[expected]}")
    return str(content_type.decode("latin-1"))
