"""The routes that SageMaker and MLflow share: /ping, and /invocations with JSON, JSON Lines, CSV and NumPy arrays."""

from typing import Any

from fastapi import Request, Response

from ML.config.config import settings
from ML.errors import Problem
from rest_api.http import bodies, work
from rest_api.http.content_types import WrongContentType
from rest_api.http.routes import request_body
from rest_api.predictions import answering
from rest_api.predictions.json_body import PARAMETERS
from rest_api.protocols.invocations import formats

READERS = {
    formats.JSON: formats.of_json,
    formats.LINES: formats.of_lines,
    formats.CSV: formats.of_csv,
    formats.NPY: formats.of_npy,
}
_BINARY = {"type": "string", "contentMediaType": formats.NPY}
_TEXT = {"type": "string", "minLength": 1}
BODY = request_body(
    {
        "application/json": {
            "type": "object",
            "description": "Exactly one of the first four",
            "properties": {
                "instances": {"type": ["array", "object"], "description": "Rows, or a list for each column"},
                "inputs": {"type": ["array", "object"], "description": "The same"},
                "dataframe_records": {"type": "array", "items": {"type": "object"}},
                "dataframe_split": {
                    "type": "object",
                    "properties": {"columns": {"type": "array"}, "data": {"type": "array"}},
                },
                "params": PARAMETERS,
            },
        },
        "application/jsonlines": _TEXT,
        "text/csv": _TEXT,
        "application/x-npy": _BINARY,
    }
)
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Predictions, in the order of the rows, as `Accept` says",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["predictions"],
                    "properties": {"predictions": {"type": "array"}},
                }
            },
            "application/jsonlines": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/x-npy": {"schema": _BINARY},
        },
    }
}


class NotAcceptable(Problem):
    """The client accepts none of the formats."""

    status = 406


async def ping(request: Request) -> Response:
    """200 if the default model can predict, otherwise 503."""
    await answering.ready(request)
    return Response()


async def invoke(request: Request) -> Response:
    """Rows of the default model, as JSON, JSON Lines, CSV with a header or without, or a NumPy array.

    The answer has the type of the `Accept` header. Without one it is JSON, or JSON Lines or CSV for rows in JSON Lines
    or in CSV without a header.
    """
    live = await answering.take(request, settings().default_model)
    request.app.batches.check(live)
    kind, header = _content_type(request)
    accept = ",".join(request.headers.getlist("accept"))
    accepted(accept, formats.JSON)
    body = await bodies.read(request)
    parsed, usual = await work.run(work.size_of(body), READERS[kind], live, body, header)
    wanted = accepted(accept, usual)
    if parsed.probabilities and wanted == formats.NPY:
        raise NotAcceptable(f"{wanted} has no place for probabilities beside predictions; Accept {formats.JSON}")
    answer = await answering.predict(request, live, parsed.columns, parsed.rows, parsed.probabilities)
    return await work.run(16 * parsed.rows, formats.render, wanted, live.card, answer, parsed.unused)


def _content_type(request: Request) -> tuple[str, bool | None]:
    """Return the format of the body, and whether a CSV says it has a header (RFC 4180). Raise WrongContentType."""
    sent = request.headers.get("content-type", "")
    name, *rest = (part.strip().lower() for part in sent.split(";"))
    options = dict(part.partition("=")[::2] for part in rest)
    kinds = f"{', '.join(READERS)}, in UTF-8"
    if name not in formats.KINDS or options.get("charset", "utf-8").strip('"') not in ("utf-8", "utf8", "us-ascii"):
        shown = sent or "a body without a type"
        raise WrongContentType(f"{request.url.path} takes {kinds}, not {shown}; set the Content-Type header")
    return formats.KINDS[name], {"present": True, "absent": False}.get(options.get("header", ""))


def accepted(header: str, usual: str) -> str:
    """Return the type of answer that an Accept header (RFC 9110) prefers. Raise NotAcceptable."""
    for name in _by_preference(header or "*/*"):
        if name == "*/*" or (name.endswith("/*") and usual.startswith(name[:-1])):
            return usual
        if name in formats.KINDS:
            return name
        if matching := [kind for kind in READERS if name.endswith("/*") and kind.startswith(name[:-1])]:
            return matching[0]
    raise NotAcceptable(f"There is no answer of type {header[:200]}; Accept {', '.join(READERS)}")


def _by_preference(header: str) -> list[str]:
    """Return the types in an Accept header, the preferred first."""
    ranges = []
    for part in filter(None, map(str.strip, header.lower().split(","))):
        name, *options = map(str.strip, part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            ranges.append((float(weight), name))
        except ValueError:
            ranges.append((1.0, name))
    return [name for weight, name in sorted(ranges, key=lambda weighted: -weighted[0]) if weight > 0]
