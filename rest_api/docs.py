"""Swagger UI with every asset local, and the OpenAPI document in the columns that the live models learned."""

import copy
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.responses import RedirectResponse

from ML import estimators
from ML.config.config import settings
from ML.errors import Problem
from ML.predictor import Predictor
from rest_api.answers import Error
from rest_api.protocols import enabled
from rest_api.security import DOCS, HEALTH

router = APIRouter(include_in_schema=False)

REF = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Adds the pages and the document."""
    app.router.routes.extend(router.routes)
    app.mount("/docs", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")


@router.get("/")
async def home(request: Request) -> Response:
    """Leads to the docs."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")


@router.get("/docs")
async def swagger(request: Request) -> Response:
    """Swagger UI."""
    root = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon-32x32.png",
        swagger_ui_parameters={"displayRequestDuration": True, "defaultModelsExpandDepth": -1},
    )


@router.get("/openapi.json")
async def document(request: Request) -> dict[str, Any]:
    """The OpenAPI document as the models are now."""
    found: dict[str, Any] = copy.deepcopy(request.app.openapi())
    if root := request.scope.get("root_path"):
        found["servers"] = [{"url": root}]
    _secure(found)
    for model in estimators.names():
        try:
            _describe(found, await request.app.live.take(model), model)
        except Problem:  # no version yet: the general description stands
            continue
    return found


def _secure(found: dict[str, Any]) -> None:
    found.setdefault("components", {})["securitySchemes"] = {"basic": {"type": "http", "scheme": "basic"}}
    opened = enabled.open_routes()
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            protocol = enabled.of(path)
            public = path in HEALTH | DOCS or f"{method.upper()} {path}" in opened
            operation["security"] = [] if public else [{"basic": []}]
            error = _error(f"{protocol.name}_error" if protocol else "Error")
            operation["responses"] |= {"default": error} if public else {"401": error, "422": error, "default": error}
    shapes: dict[str, type[BaseModel]] = {f"{p.name}_error": p.error for p in enabled.protocols()}
    for name, model in (shapes | {"Error": Error}).items():
        schemas = model.model_json_schema(ref_template=REF)
        found["components"]["schemas"] |= schemas.pop("$defs", {}) | {name: schemas}
    for unused in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(unused, None)


def _error(name: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REF.format(model=name)}}}
    return {"description": "What is wrong, where, and the remedy", "content": content}


def _describe(found: dict[str, Any], live: Predictor, model: str) -> None:
    """Puts a model's own columns into the document: its concrete path, and /predict for the default model."""
    found["components"]["schemas"] |= _schemas(live, model)
    body = {
        "schema": {"$ref": REF.format(model=f"{model}_request")},
        "example": {"instances": live.schema.examples()[:1]},
    }
    general = found["paths"]["/models/{model}/predict"]["post"]
    own = copy.deepcopy(general) | {
        "operationId": f"predict_{model}",
        "summary": f"Predict {live.target.name} with {model}",
    }
    own["parameters"] = [p for p in own.get("parameters", []) if p["in"] != "path"]
    own["requestBody"] = {"required": True, "content": {"application/json": body}}
    found["paths"].setdefault(f"/models/{model}/predict", {"post": own})
    if model == settings().default_model:
        found["paths"]["/predict"]["post"]["requestBody"] = own["requestBody"]


def _schemas(live: Predictor, model: str) -> dict[str, Any]:
    """The JSON schema of a request, by the very type that checks it."""
    schema = live.instances.objects.json_schema(ref_template=REF)
    parts: dict[str, Any] = schema.pop("$defs", {})
    row = parts.pop("Row") | {"title": f"{model} row"}
    parts[f"{model}_row"] = row
    schema["properties"]["instances"]["items"] = {"$ref": REF.format(model=f"{model}_row")}
    return parts | {f"{model}_request": schema | {"title": f"{model} request"}}
