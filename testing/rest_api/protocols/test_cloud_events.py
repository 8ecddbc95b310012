"""CloudEvents, which Knative sends in KServe's V1 protocol: an event in, an event out."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server import Server

PATH = "/v1/models/classifier:predict"
BODY = {"instances": [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]}
LABELS = ["setosa", "virginica"]
EVENT = {"specversion": "1.0", "id": "36077800-0c23", "source": "https://example.com/producer", "type": "com.example"}
HEADERS = {f"ce-{name}": value for name, value in EVENT.items()}
TYPE = "application/cloudevents+json"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", PROTOCOLS="kserve")


def ask(server: Server, body: Any, headers: Mapping[str, str | bytes]) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.client.post(PATH, content=content, headers=dict(headers))


def check(event: dict[str, Any]) -> None:
    """Check that the answer is a new event."""
    assert (event["specversion"], event["type"]) == ("1.0", "io.kserve.inference.response")
    assert event["source"] == "io.kserve.inference.classifier"
    assert event["id"] and event["id"] != EVENT["id"]
    assert abs((datetime.fromisoformat(event["time"]) - datetime.now().astimezone()).total_seconds()) < 300


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"content-type": "application/json"},
        {"content-type": "application/json; charset=utf-8", "ce-time": "2021-01-28T21:04:43Z", "ce-subject": "a"},
        {"ce-specversion": "0.3", "ce-extension": "of another's", "ce-datacontenttype": "application/json"},
    ],
)
def test_an_event_in_headers_is_answered_in_headers(server: Server, more: dict[str, str]) -> None:
    answer = ask(server, BODY, HEADERS | more)
    assert (answer.status_code, answer.json()) == (200, {"predictions": LABELS})
    assert answer.headers["content-type"] == "application/json"
    check({name.removeprefix("ce-"): value for name, value in answer.headers.items() if name.startswith("ce-")})
    assert ask(server, BODY, HEADERS | more).headers["ce-id"] != answer.headers["ce-id"]


@pytest.mark.parametrize(
    "more",
    [
        {"data": BODY},
        {"data": BODY, "datacontenttype": None, "time": None, "subject": None, "data_base64": None},
        {"data": {"inputs": BODY["instances"], "parameters": None}, "time": "2021-01-28T21:04:43Z", "myextension": 7},
        {"data_base64": b64encode(json.dumps(BODY).encode()).decode(), "data": None},
    ],
)
@pytest.mark.parametrize("kind", [TYPE, "Application/CloudEvents+json; charset=UTF-8"])
def test_an_event_in_the_body_is_answered_in_the_body(server: Server, kind: str, more: dict[str, Any]) -> None:
    answer = ask(server, EVENT | more, {"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (200, TYPE), answer.text
    check(answer.json())
    assert answer.json()["data"] == {"predictions": LABELS}
    assert answer.json()["datacontenttype"] == "application/json"


@pytest.mark.parametrize("name", HEADERS)
def test_without_a_required_header_it_is_no_event(server: Server, name: str) -> None:
    """Return whether the headers are those of a binary event, as has_binary_headers in the CloudEvents SDK."""
    answer = ask(server, BODY, {key: value for key, value in HEADERS.items() if key != name})
    assert (answer.status_code, answer.json()) == (200, {"predictions": LABELS})
    assert not [key for key in answer.headers if key.startswith("ce-")]


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (b"{", "not JSON"),
        ([1], "the event lacks specversion and id and source and type"),
        ({k: v for k, v in EVENT.items() if k != "id"} | {"data": BODY}, "the event lacks id"),
        (EVENT | {"source": None, "data": BODY}, "the event lacks source"),
        (EVENT | {"specversion": "7", "data": BODY}, "version 7 of CloudEvents"),
        (EVENT, "exactly one of instances, inputs"),
        (EVENT | {"data": None}, "exactly one of instances, inputs"),
        (EVENT | {"data": {"instances": [[1, 2, 3, "x"]]}}, "petal_width"),
        (EVENT | {"data_base64": "***"}, "not base64"),
        (EVENT | {"data_base64": 7}, "not base64"),
        (EVENT | {"data_base64": b64encode(b"{").decode()}, "not JSON"),
        (EVENT | {"data_base64": b64encode(b"[" + b"[]," * 2_000_000 + b"[]]").decode()}, "MAX_ROWS"),
    ],
)
def test_a_wrong_event_is_a_bad_request(server: Server, event: Any, says: str) -> None:
    answer = ask(server, event, {"content-type": TYPE})
    assert answer.status_code == (413 if says == "MAX_ROWS" else 400)
    assert says in answer.json()["error"] and "ce-id" not in answer.headers


@pytest.mark.parametrize("body", [b"{", b"", b"0\x80\x06world!\x00\x00", b'{"instances": "x"}', b"[1]"])
def test_wrong_data_of_an_event_in_headers_are_a_bad_request(server: Server, body: bytes) -> None:
    answer = ask(server, body, HEADERS | {"content-type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_an_unknown_version_and_a_batch_are_refused(server: Server) -> None:
    assert "version 2.0" in ask(server, BODY, HEADERS | {"ce-specversion": "2.0"}).json()["error"]
    batch = ask(server, [EVENT | {"data": BODY}], {"content-type": "application/cloudevents-batch+json"})
    assert batch.status_code == 415


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = st.sampled_from(["specversion", "id", "source", "type", "data", "data_base64", "instances", "inputs"])
VALUES = st.recursive(
    SCALARS | st.sampled_from(["1.0", "W10=", "e30="]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES | st.just("parameters"), inner),
)
BODIES = VALUES | st.dictionaries(NAMES, VALUES) | VALUES.map(lambda data: EVENT | {"data": data})


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    body=BODIES.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")) | st.binary(max_size=20),
    headers=st.sampled_from([{}, HEADERS, {"content-type": TYPE}, HEADERS | {"content-type": TYPE}])
    | st.dictionaries(st.sampled_from(list(HEADERS)), st.sampled_from(["1.0", "", "a b", "\xff"])),
)
def test_nothing_that_is_sent_makes_the_server_fail(server: Server, body: bytes, headers: dict[str, str]) -> None:
    found = ask(server, body, {name: value.encode("latin-1") for name, value in headers.items()})
    assert found.status_code in (200, 400, 413), found.text
    assert found.status_code == 200 or list(found.json()) == ["error"]
