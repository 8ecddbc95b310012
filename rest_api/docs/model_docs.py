"""Describes a live model in the OpenAPI document: its path, its columns, and a row to try."""

import copy
import re
from typing import Any

from ML.config.config import settings
from ML.prediction.predictor import Predictor
from ML.schema.cells import Kind
from ML.schema.schema import Value
from rest_api.docs import portable
from rest_api.docs.portable import REF, Part

NEUTRAL: dict[Kind, Value] = {"number": 1, "flag": True, "date": "2024-01-31", "text": "text"}
"""Examples that reveal nothing about the training data."""

ROWS = "All of them objects, or all of them arrays in the order of the columns"


def add(document: Part, live: Predictor, learned: bool) -> None:
    """Add the model's concrete path, and describe the body of /predict for the default model."""
    model, paths = live.card.model, document["paths"]
    general = copy.deepcopy(paths["/models/{model}/predict"]["post"])
    ids = [operation["operationId"] for operation in portable.operations(document)]
    own = general | {
        "operationId": portable.unused([f"predict_{model}"], ids),
        "summary": f"Predict {live.target.name} with {model}",
        "parameters": [each for each in general.get("parameters", ()) if each["in"] != "path"],
        "requestBody": _body(document["components"]["schemas"], live, learned),
    }
    paths.setdefault(f"/models/{model}/predict", {"post": own})
    if model == settings().default_model:
        paths["/predict"]["post"]["requestBody"] = copy.deepcopy(own["requestBody"])


def _body(schemas: Part, live: Predictor, learned: bool) -> Part:
    name = re.sub(r"[^\w.-]", "_", live.card.model, flags=re.ASCII)
    row_name = portable.unused([f"{name}_row"], schemas)
    request, row = _schemas(live, row_name)
    if learned:
        rows = live.schema.examples()[:1]
    else:
        _forget(request, row, live)
        rows = [{column.name: NEUTRAL[column.kind] for column in live.schema.columns}]
    schemas[row_name] = row | {"title": row_name}
    request_name = portable.unused([f"{name}_request"], schemas)
    schemas[request_name] = request | {"title": request_name}
    content = {"schema": {"$ref": REF.format(model=request_name)}, "example": {"instances": rows}}
    return {"required": True, "content": {"application/json": content}}


def _schemas(live: Predictor, row_name: str) -> tuple[Part, Part]:
    """Return the schemas of a request and of its rows as objects, from the types that validate requests."""
    request, arrays = live.instances.objects.json_schema(), live.instances.arrays.json_schema()
    parts, properties = request.pop("$defs"), request["properties"]
    properties["parameters"] = parts["Parameters"]
    instances = properties["instances"]
    instances["items"] = {"anyOf": [{"$ref": REF.format(model=row_name)}, arrays["properties"]["instances"]["items"]]}
    instances["description"] = ROWS
    return request, parts["Row"]


def _forget(request: Part, row: Part, live: Predictor) -> None:
    """Remove the words that flag columns learned from the data. Every flag accepts true and false."""
    array = request["properties"]["instances"]["items"]["anyOf"][1]
    for place, column in enumerate(live.schema.columns):
        if column.kind == "flag":
            kind: Any = {"anyOf": [{"type": "boolean"}, {"type": "null"}]} if column.gaps else {"type": "boolean"}
            row["properties"][column.name] = array["prefixItems"][place] = kind
