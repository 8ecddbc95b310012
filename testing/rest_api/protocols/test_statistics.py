"""Triton's statistics: inferences and their parts, over all workers."""

import time
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from oip_client import INFER, MATRIX
from server import PASSWORD, USER, Server, eventually

STATS = "/v2/models/classifier/stats"
PARTS = ("queue", "compute_input", "compute_infer", "compute_output")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="3")


def infer(server: Server, *inputs: Any, path: str = INFER) -> int:
    """Return the status of a request on a new connection, so that any worker may answer."""
    return httpx.post(server.url + path, json={"inputs": inputs}, auth=(USER, PASSWORD)).status_code


def statistics(server: Server, path: str = STATS) -> dict[str, Any]:
    """Return the statistics from any worker."""
    found = httpx.get(server.url + path, auth=(USER, PASSWORD)).raise_for_status().json()
    return next(each for each in found["model_stats"] if each["name"] == "classifier")


def test_every_worker_reports_all_inferences(server: Server) -> None:
    before, begun = statistics(server), time.time()
    many = {**MATRIX, "shape": [5, 4], "data": MATRIX["data"] * 5}
    assert {infer(server, many) for _ in range(30)} == {200}
    assert {infer(server, {**MATRIX, "shape": [2, 4]}) for _ in range(7)} == {400}
    took = 1e9 * (time.time() - begun)

    def grown(name: str, part: str = "count") -> int:
        return statistics(server)["inference_stats"][name][part] - before["inference_stats"][name][part]

    assert eventually(lambda: grown("success") == 30 and grown("fail") == 7)
    assert {part: grown(part) for part in PARTS} == dict.fromkeys(PARTS, 30)
    assert 0 < grown("fail", "ns") < took
    # The parts are the whole; each is summed up on its own.
    parts = {part: grown(part, "ns") for part in PARTS}
    assert min(parts.values()) >= 0 and all(parts[part] for part in PARTS if part != "queue")
    assert sum(parts.values()) == pytest.approx(grown("success", "ns"), abs=100) and sum(parts.values()) < took
    after = statistics(server)
    assert after["inference_count"] - before["inference_count"] == 150
    assert 1 <= after["execution_count"] - before["execution_count"] <= 30
    assert begun - 1 < after["last_inference"] / 1000 < time.time() + 1
    assert after["batch_stats"] == []


def test_a_model_and_its_live_version_have_the_same(server: Server) -> None:
    assert infer(server, MATRIX) == 200
    assert eventually(lambda: statistics(server)["last_inference"] > 0)
    time.sleep(0.5)  # until all workers have handed on what they counted
    found = statistics(server)
    for path in (f"/v2/models/classifier/versions/{found['version']}/stats", "/v2/models/stats"):
        assert statistics(server, path) == found


def test_a_model_that_was_not_asked_has_zeros(server: Server) -> None:
    found = server.client.get("/v2/models/regressor/stats").json()["model_stats"][0]
    assert found["last_inference"] == found["inference_count"] == found["execution_count"] == 0
    zeros = {"count": 0, "ns": 0}
    assert found["inference_stats"] == dict.fromkeys(("success", "fail", *PARTS), zeros)
