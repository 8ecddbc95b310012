"""The OpenAPI document: FastAPI's own, with credentials, the bodies of errors, and the columns of the live models."""

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
NOTE = " Without credentials this document has neutral examples; with credentials, those that the models learned."


def build(app: FastAPI, live: Sequence[Predictor], root: str, learned: bool) -> Part:
    """Return the document for these predictors. It holds values of the training data only if `learned`.

    The names and kinds of the columns, and whether a value may be missing, are in it either way: requests are checked
    against them.
    """
    found: Part = copy.deepcopy(app.openapi())
    if root:
        found["servers"] = [{"url": root}]
    if not learned:
        found["info"]["description"] = found["info"].get("description", "") + NOTE
    found.setdefault("components", {}).setdefault("schemas", {})
    _secure(found)
    for each in live:
        model_docs.add(found, each, learned)
    portable.rewrite(found)
    _drop_unused(found)
    return found


def _secure(found: Part) -> None:
    """Say which operations need credentials, and what body their errors have."""
    found["components"]["securitySchemes"] = {"basic": {"type": "http", "scheme": "basic"}}
    names: dict[Protocol | None, str] = {None: _add_error(found, "Error", Error)}
    names |= {protocol: _add_error(found, f"{protocol.name}_error", protocol.error) for protocol in enabled.protocols()}
    opened = enabled.open_routes()
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            public = path in HEALTH | DOCS or f"{method.upper()} {path}" in opened
            operation["security"] = [] if public else [{"basic": []}]
            _document_errors(operation, names[enabled.of(path)], str(enabled.status(path, 422)))


def _add_error(found: Part, name: str, model: type[BaseModel]) -> str:
    """Add the schema of an error. Return its name, which differs from this one if a route's own model has that."""
    schemas = found["components"]["schemas"]
    schema = model.model_json_schema(ref_template=REF)
    schemas |= schema.pop("$defs", {})
    key = portable.unused([name], schemas)
    schemas[key] = schema | {"title": key}
    return key


def _document_errors(operation: Part, name: str, wrong_input: str) -> None:
    """Give every error a body. A route's own stays, but FastAPI's default does not: no answer looks like that."""
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
    """Whether a route leaves it to FastAPI what this error looks like."""
    return answer.get("content", {}).get("application/json", {}).get("schema", {}) in ({}, FASTAPI_ERROR)


def _drop_unused(found: Part) -> None:
    """Leave out the schemas that no operation refers to, FastAPI's shape of errors among them."""
    schemas, wanted = found["components"]["schemas"], set[str]()
    queue = list(_references(found["paths"]))
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue += _references(schemas[name])
    found["components"]["schemas"] = {name: schema for name, schema in schemas.items() if name in wanted}


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
