"""Swagger UI with every asset local, and the OpenAPI document of the live models."""

from functools import lru_cache

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import RedirectResponse

from rest_api.docs.documents import MAX_DOCUMENTS, Documents
from rest_api.docs.rendered import Rendered
from rest_api.security import page_headers

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request) -> Response:
    """Redirect to the docs."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")


@router.get("/docs")
async def swagger(request: Request) -> Response:
    """Return Swagger UI."""
    return _page(request.app.title, request.scope.get("root_path", "")).answer(request.scope)


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """Return the OpenAPI document for the live models. Its examples are training data only with credentials."""
    learned = request.scope["log"].user != "-"
    documents: Documents = request.app.state.documents
    rendered = await documents.take(request.scope.get("root_path", ""), learned)
    return rendered.answer(request.scope)


@lru_cache(MAX_DOCUMENTS)
def _page(title: str, root: str) -> Rendered:
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=f"{title} - Swagger UI",
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon-32x32.png",
        swagger_ui_parameters={"displayRequestDuration": True, "defaultModelsExpandDepth": -1},
    )
    return Rendered(page_headers.allow_own_script(page))


router.mount("/docs", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")
