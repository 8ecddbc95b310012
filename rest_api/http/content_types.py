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


def check_content_type(scope: Scope, wanted: bytes) -> str:
    """Return the Content-Type header. Raises WrongContentType if it names another type."""
    sent = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            sent = value
    if sent != wanted and sent.partition(b";")[0].strip().lower() != wanted:
        said = sent[:100].decode("latin-1") or "a body without a type"
        raise WrongContentType(f"{scope['path']} takes {wanted.decode()}, not {said}; {REMEDIES[wanted]}")
    return str(sent.decode("latin-1"))
