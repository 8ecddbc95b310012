"""Every route with no, wrong and predict-only credentials: refused before the body, or public on purpose."""

import base64
import itertools
import socket
from collections.abc import Callable

import httpx2 as httpx
import pytest
from server import PASSWORD, USER, Server
from starlette.routing import Mount, Route

from rest_api.classifier_api import app
from rest_api.protocols.enabled import protocols
from rest_api.security.access import DOCS, HEALTH, PREDICTOR

LESSER = "only predicts: Zoë"
PUBLIC = {f"GET {path}" for path in HEALTH | DOCS}
TRAINER = {
    "POST /train_model",
    "DELETE /models/{model}/versions/{version}",
    "PUT /models/{model}/current",
    "POST /v2/repository/models/{model}/load",
    "POST /v2/repository/models/{model}/unload",
}


def every_route() -> set[str]:
    """Return every method of every path, as `GET /models/{model}`."""
    found = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found |= {f"GET {path}" for path in DOCS if path.startswith(f"{route.path}/")}
        else:
            assert isinstance(route, Route), f"{route} is of a kind that this test does not know"
            found |= {f"{method} {route.path}" for method in (route.methods or ())} - {f"HEAD {route.path}"}
    return found


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start a server with both users."""
    return serve(PREDICT_USER="reader", PREDICT_PASS=LESSER)


ADDRESSES = (f"127.1.{n // 250}.{n % 250 + 1}" for n in itertools.count())
"""One for each connection: after 20 wrong passwords a minute an address is blocked."""


def status(server: Server, route: str, user: str, password: str) -> int:
    """Return the status of a request that announces a body of one megabyte and sends none of it."""
    method, path = route.format(model="classifier", version=999).split(" ")
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {token}\r\n" + (
        "" if method == "GET" else "Content-Length: 1000000\r\nContent-Type: application/json\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 5, source_address=(next(ADDRESSES), 0)) as sock:
        sock.sendall(f"{head}\r\n".encode())
        return int(sock.recv(64).split(b" ")[1])


def test_every_route_has_one_role() -> None:
    platforms = {route for protocol in protocols() for route in protocol.routes}
    assert every_route() == PUBLIC | PREDICTOR | TRAINER | platforms
    assert not PUBLIC & PREDICTOR and not (PUBLIC | PREDICTOR) & TRAINER


@pytest.mark.parametrize("route", sorted(PREDICTOR | TRAINER))
def test_no_and_wrong_credentials_are_refused_before_the_body(server: Server, route: str) -> None:
    for user, password in (("", ""), (USER, "wrong"), (USER, LESSER), ("reader", PASSWORD), ("reader", "")):
        assert status(server, route, user, password) == 401, (user, password)


@pytest.mark.parametrize("route", sorted(TRAINER))
def test_a_predict_user_can_not_change_anything(server: Server, route: str) -> None:
    assert status(server, route, "reader", LESSER) == 403


@pytest.mark.parametrize("path", ["/nope", "/models/classifier/current", "/predict/", "/train_model", "/models/a/b/c"])
def test_a_predict_user_can_call_only_listed_routes(server: Server, path: str) -> None:
    answer = httpx.patch(server.url + path, auth=("reader", LESSER))
    assert answer.status_code == 403
    assert "send SERVICE_USER" in answer.json()["detail"]


def test_a_predict_user_predicts_and_reads(server: Server) -> None:
    auth = ("reader", LESSER)
    row = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    for path in ("/predict", "/models/classifier/predict"):
        assert httpx.post(server.url + path, json=row, auth=auth).status_code == 200
    table = {"csv_file": "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n"}
    assert httpx.post(f"{server.url}/get_prediction", files=table, auth=auth).status_code == 200
    for route in PUBLIC | {route for route in PREDICTOR if route.startswith("GET")}:
        path = route.removeprefix("GET ").format(model="classifier", version=1)
        assert httpx.get(server.url + path, auth=auth).status_code in (200, 307), path
    assert server.logs(" POST /predict 200 ")
    assert " reader classifier/1" in server.log
    assert LESSER not in server.log


def test_without_a_password_there_is_no_predict_user(serve: Callable[..., Server]) -> None:
    server = serve(PREDICT_USER="reader", BOOTSTRAP="false", WEB_CONCURRENCY="1")
    for password in ("", "None", PASSWORD):
        assert httpx.get(f"{server.url}/models", auth=("reader", password)).status_code == 401
