"""The routes of several routers as those of one app."""

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Mount

from rest_api.http.routes import HotRoute, combined


async def first(request: Request) -> Response:
    return Response()


async def second(request: Request) -> Response:
    return Response()


def router(endpoint, *paths: str, tag: str = "a", method: str = "GET") -> APIRouter:
    made = APIRouter(tags=[tag], route_class=HotRoute if method == "POST" else APIRoute)
    for path in paths:
        made.add_api_route(path, endpoint, methods=[method])
    return made


def api_routes(*routers: APIRouter) -> list[APIRoute]:
    """Return the combined routes, none of which is a mounted app."""
    routes = combined(routers)
    found = [route for route in routes if isinstance(route, APIRoute)]
    assert len(found) == len(routes)
    return found


def test_the_first_of_two_routes_with_one_path_and_method_wins() -> None:
    routes = api_routes(router(first, "/x"), router(second, "/x", "/y"), router(second, "/x", method="POST"))
    found = [(route.path, route.endpoint, route.methods) for route in routes if "HEAD" not in (route.methods or ())]
    assert found == [("/x", first, {"GET"}), ("/y", second, {"GET"}), ("/x", second, {"POST"})]


def test_routes_that_do_the_same_have_the_tags_of_all() -> None:
    one, *_ = api_routes(router(first, "/x"), router(first, "/x", tag="b"), router(second, "/x", tag="c"))
    assert one.tags == ["a", "b"]


def test_head_is_answered_where_get_is_and_not_documented() -> None:
    routes = api_routes(router(first, "/x", "/y"), router(second, "/z", method="POST"))
    assert [(r.path, r.endpoint, r.include_in_schema) for r in routes if "HEAD" in (r.methods or ())] == [
        ("/x", first, False),
        ("/y", first, False),
    ]
    assert not any("HEAD" in (route.methods or ()) and "GET" in (route.methods or ()) for route in routes)


def test_hot_routes_and_mounted_apps_stay_what_they_are() -> None:
    hot, files = router(first, "/x", method="POST"), APIRouter()
    files.mount("/files", APIRouter(), name="files")
    assert combined([hot, files]) == [*hot.routes, *files.routes]
    assert isinstance(combined([hot])[0], HotRoute) and isinstance(combined([files])[0], Mount)
