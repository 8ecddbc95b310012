"""Builds the OpenAPI document: FastAPI's, with credentials, bodies of errors, and the columns of the live models."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from ML.prediction.predictor import Predictor
from rest_api.answers import Error
from rest_api.docs import model_docs, portable
from rest_api.docs.portable import PREFIX, REF, Part
from rest_api.protocols import enabled
from rest_api.protocols.protocol import Protocol
from rest_api.security.access import DOCS, HEALTH

FASTAPI_ERROR = {"$ref": REF.format(model="HTTPValidationError")}
NOTE = " Without credentials this document has neutral examples; with credentials, examples from the training data."


def build(app: FastAPI, live: Sequence[Predictor], root: str, learned: bool) -> Part:
    """Return the document for these predictors. It has values from the training data only if `learned`.

    It always has the names and kinds of the columns, and whether a value may be missing, because these describe valid
    requests.
    """
    document: Part = copy.deepcopy(app.openapi())
    if root:
        document["servers"] = [{"url": root}]
    if not learned:
        document["info"]["description"] = document["info"].get("description", "") + NOTE
    document.setdefault("components", {}).setdefault("schemas", {})
    _secure(document)
    for each in live:
        model_docs.add(document, each, learned)
    portable.rewrite(document)
    _drop_unused(document)
    return document


def _secure(document: Part) -> None:
    """Add which operations need credentials, and the bodies of their errors."""
    document["components"]["securitySchemes"] = {"basic": {"type": "http", "scheme": "basic"}}
    names: dict[Protocol | None, str] = {None: _add_error(document, "Error", Error)}
    names |= {
        protocol: _add_error(document, f"{protocol.name}_error", protocol.error) for protocol in enabled.protocols()
    }
    opened = enabled.open_routes()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            public = path in HEALTH | DOCS or f"{method.upper()} {path}" in opened
            operation["security"] = [] if public else [{"basic": []}]
            _document_errors(operation, names[enabled.of(path)], str(enabled.status(path, 422)))


def _add_error(document: Part, name: str, model: type[BaseModel]) -> str:
    """Add the schema of an error. Return its name, which gets a suffix if a route's model has the same name."""
    schemas = document["components"]["schemas"]
    schema = model.model_json_schema(ref_template=REF)
    schemas |= schema.pop("$defs", {})
    key = portable.unused([name], schemas)
    schemas[key] = schema | {"title": key}
    return key


def _document_errors(operation: Part, name: str, wrong_input: str) -> None:
    """Give every error a body. A route's own stays. FastAPI's default is replaced: no answer looks like it."""
    answers = operation["responses"]
    if "422" in answers and wrong_input != "422" and _is_default(answers["422"]):
        answers[wrong_input] = answers.pop("422")
    closed = bool(operation["security"])
    statuses = ["401"] * closed + [wrong_input] * (closed or "requestBody" in operation) + ["default"]
    for status in statuses:
        answers.setdefault(status, {"description": "What is wrong, where, and the remedy"})
    for status, answer in answers.items():
        if status[0] in "45d" and _is_default(answer):
            answer["content"] = {"application/json": {"schema": {"$ref": REF.format(model=name)}}}


def _is_default(answer: Part) -> bool:
    """Return whether the route declares no body for this error, so that FastAPI's default stands there."""
    return answer.get("content", {}).get("application/json", {}).get("schema", {}) in ({}, FASTAPI_ERROR)


def _drop_unused(document: Part) -> None:
    """Remove the schemas that no operation refers to, such as FastAPI's error."""
    schemas, used = document["components"]["schemas"], set[str]()
    queue = list(_references(document["paths"]))
    while queue:
        name = queue.pop()
        if name not in used:
            used.add(name)
            queue += _references(schemas[name])
    document["components"]["schemas"] = {name: schema for name, schema in schemas.items() if name in used}


def _references(part: Any) -> Iterator[str]:
    """Yield the names of the schemas that this part of the document refers to."""
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(PREFIX)
            elif key != "example":
                yield from _references(value)
