"""The routes that SageMaker and MLflow have in common: /invocations takes and gives JSON, its lines, CSV and arrays."""

from typing import Any

from fastapi import Request, Response

from ML.config.config import settings
from ML.errors import Problem
from rest_api.http import bodies, work
from rest_api.http.content_types import WrongContentType
from rest_api.predictions import answering
from rest_api.protocols.invocations import formats

READERS = {
    formats.JSON: formats.of_json,
    formats.LINES: formats.of_lines,
    formats.CSV: formats.of_csv,
    formats.NPY: formats.of_npy,
}
_BINARY = {"schema": {"type": "string", "contentMediaType": formats.NPY}}
_TEXT = {"schema": {"type": "string", "minLength": 1}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
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
                        "params": {"type": "object", "properties": {"probabilities": {"type": "boolean"}}},
                    },
                }
            },
            "application/jsonlines": _TEXT,
            "text/csv": _TEXT,
            "application/x-npy": _BINARY,
        },
    }
}
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
            "application/x-npy": _BINARY,
        },
    }
}


class NotAcceptable(Problem):
    """The caller takes no kind of answer that there is."""

    status = 406


async def ping(request: Request) -> Response:
    """200 when the default model can answer, else 503."""
    await answering.ready(request)
    return Response()


async def invoke(request: Request) -> Response:
    """Rows of the default model, as JSON, JSON Lines, CSV with a header or without, or a NumPy array.

    The answer has the type of the `Accept` header; without one it is JSON, but lines for JSON Lines and CSV without a
    header.
    """
    live = await answering.take(request, settings().default_model)
    request.app.batches.check(live)
    kind, header = _content_type(request)
    accept = ",".join(request.headers.getlist("accept"))
    accepted(accept, formats.JSON)
    body = await bodies.read(request)
    asked, usual = await work.run(work.size_of(body), READERS[kind], live, body, header)
    wanted = accepted(accept, usual)
    if asked.probabilities and wanted == formats.NPY:
        raise NotAcceptable(f"{wanted} has no place for probabilities beside predictions; Accept {formats.JSON}")
    answer = await answering.predict(request, live, asked.columns, asked.rows, asked.probabilities)
    return await work.run(16 * asked.rows, formats.render, wanted, live.card, answer, asked.unused)


def _content_type(request: Request) -> tuple[str, bool | None]:
    """The kind of the body, and whether a CSV is said to have a header (RFC 4180). Raises WrongContentType."""
    sent = request.headers.get("content-type", "")
    name, *rest = (part.strip().lower() for part in sent.split(";"))
    options = dict(part.partition("=")[::2] for part in rest)
    kinds = f"{', '.join(READERS)}, in UTF-8"
    if name not in formats.KINDS or options.get("charset", "utf-8").strip('"') not in ("utf-8", "utf8", "us-ascii"):
        said = sent or "a body without a type"
        raise WrongContentType(f"{request.url.path} takes {kinds}, not {said}; set the Content-Type header")
    return formats.KINDS[name], {"present": True, "absent": False}.get(options.get("header", ""))


def accepted(header: str, usual: str) -> str:
    """The type of the answer that an Accept header (RFC 9110) prefers. Raises NotAcceptable."""
    for name in _wishes(header or "*/*"):
        if name == "*/*" or (name.endswith("/*") and usual.startswith(name[:-1])):
            return usual
        if name in formats.KINDS:
            return name
        if matching := [kind for kind in READERS if name.endswith("/*") and kind.startswith(name[:-1])]:
            return matching[0]
    raise NotAcceptable(f"There is no answer of type {header[:200]}; Accept {', '.join(READERS)}")


def _wishes(header: str) -> list[str]:
    """The types in an Accept header, the most wanted first."""
    found = []
    for part in filter(None, map(str.strip, header.lower().split(","))):
        name, *options = map(str.strip, part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            found.append((float(weight), name))
        except ValueError:
            found.append((1.0, name))
    return [name for weight, name in sorted(found, key=lambda wish: -wish[0]) if weight > 0]
