"""Traces are sent to a collector if the standard variables name one, and nowhere else."""

import http.server
import threading
from collections.abc import Callable, Iterator

import httpx2 as httpx
import pytest
from server import PASSWORD, USER, Server, eventually

ROW = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Start an HTTP server. Yields its address and the list of requests it received."""
    came: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()


def test_a_prediction_is_a_span_of_the_callers_trace(
    serve: Callable[..., Server], collector: tuple[str, list[tuple[str, bytes]]]
) -> None:
    url, came = collector
    names = {"OTEL_SERVICE_NAME": "irises", "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_COMPRESSION": "none"}
    server = serve(WEB_CONCURRENCY="1", OTEL_EXPORTER_OTLP_ENDPOINT=url, **names)
    answer = server.client.post("/predict", json=ROW, headers={"traceparent": PARENT})
    assert answer.json()["predictions"] == ["setosa"]

    def exported() -> bool:
        spans = b"".join(body for path, body in came if path == "/v1/traces")
        wanted = (b"POST /predict", b"irises", bytes.fromhex(PARENT.split("-")[1]))
        return all(text in spans for text in wanted)

    assert eventually(exported), came
    assert PASSWORD.encode() not in b"".join(body for _, body in came)


def test_without_an_endpoint_nothing_is_traced(serve: Callable[..., Server]) -> None:
    server = serve(WEB_CONCURRENCY="1")
    assert httpx.post(f"{server.url}/predict", json=ROW, auth=(USER, PASSWORD)).status_code == 200
    assert "telemetry" not in server.log.lower()
