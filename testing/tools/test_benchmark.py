"""The benchmark's figures: the README shows what was measured, and ratios are computed as named."""

import ast
import itertools
import json
import re
import shutil
import socketserver
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from testing.benchmark import plan, readme, report, shapes, tables
from testing.benchmark.results import FOLDER
from testing.benchmark.summary import PROMISES, Rows, ratios
from testing.benchmark.systems import ALL, PEERS
from testing.benchmark.wrk import Load, fire, script

KEPT = json.loads((FOLDER / "results.json").read_text())
ROW: tables.Row = {"a": 1.5, "b": -2.0}


def measured(system: str, rates: list[float], shape: str = "row") -> Rows:
    """Return a measurement of the SVC for each round, with 32 connections."""
    same = {"system": system, "model": "svc", "shape": shape, "connections": 32, "p50": 1.0, "memory": 1.0}
    return [
        same | {"round": n, "rate": rate, "p99": 1000 / rate, "refused": 0, "lost": 0} for n, rate in enumerate(rates)
    ]


def figures(rows: Rows) -> dict[str, Any]:
    """Return every figure that can be computed from these measurements."""
    return {each.measure: each for each in ratios({"measured": rows}) if each.found}


def test_readme_and_docs_show_the_results_that_are_kept() -> None:
    for file in readme.README, readme.PERFORMANCE:
        assert readme.renewed(file, KEPT) == file.read_text()
    assert (FOLDER / "results.md").read_text() == report.page(KEPT)
    assert "fast-ml" in (FOLDER / "results.svg").read_text()


def test_every_part_of_the_plan_was_measured_for_every_system_or_has_a_reason() -> None:
    page = (FOLDER / "results.md").read_text()
    for part in plan.PARTS:
        there = {row["system"] for row in KEPT["measured"] if (row["model"], row["shape"]) == (part.model, part.shape)}
        for name in set(part.systems) - there:
            assert f"- {name} was left out: " in page or f"- {name}, {part.model}, {part.shape} was left out: " in page


def test_a_ratio_is_taken_round_by_round_against_the_best_of_the_others() -> None:
    rows = measured("fast-ml", [100, 50, 90]) + measured("LitServe", [10, 1, 9]) + measured("BentoML", [5, 5, 10])
    ratio = figures(rows)["JSON row, SVC, 32 connections: requests/s vs the best peer"]
    assert tuple(ratio.found) == (10, 9, 10) and ratio.reached
    p99 = figures(rows)["p99 of the same vs the lowest p99 of a peer"]
    assert round(p99.found.median, 3) == 0.1 and p99.reached
    assert not figures(rows + measured("Ray Serve", [100, 50, 90]))[ratio.measure].reached


def test_binary_tensors_are_compared_with_the_json_of_a_server_that_knows_no_other() -> None:
    rows = measured("fast-ml", [160], "oip binary") + measured("MLServer", [10], "oip")
    assert figures(rows)["the same, binary, vs MLServer's JSON"].found.median == 16


def test_the_readme_names_missed_targets_and_where_another_system_is_better() -> None:
    rows = measured("fast-ml", [10]) + measured("LitServe", [20]) + measured("raw ASGI", [25])
    shown = "\n".join(readme.measured({"measured": rows}))
    assert "- JSON row, SVC, 32 connections: requests/s vs the best peer: 0.5, wanted at least 8" in shown
    assert "- One JSON row, SVC, 32 connections: rate of LitServe, 20 against 10" in shown
    assert "rate of raw ASGI" not in shown


def test_every_promise_can_be_had_from_the_plan() -> None:
    asked = {(part.model, part.shape): part for part in plan.PARTS}
    assert set(PEERS) < {system.name for system in ALL}
    for promise in PROMISES:
        ours, theirs = asked[promise.model, promise.shape], asked[promise.model, promise.their_shape or promise.shape]
        assert "fast-ml" in ours.systems and set(promise.others) <= set(theirs.systems)
        assert promise.connections in ours.connections and promise.connections in theirs.connections


def test_a_binary_request_is_json_and_then_the_numbers() -> None:
    shape = shapes.oip_binary("/infer", ROW)
    body = shape.body(ROW)
    size = int(shape.headers["Inference-Header-Content-Length"])
    tensor = json.loads(body[:size])["inputs"][0]
    assert tensor["shape"] == [1, 2] and tensor["parameters"]["binary_data_size"] == len(body) - size
    assert struct.unpack("<2d", body[size:]) == (1.5, -2.0)
    assert shape.answer(b'{"outputs": [{"x": "}"}]}\x03\0\0\0abc\x02\0\0\0\xc3\xa9') == ["abc", "\u00e9"]


def test_the_load_carries_any_bytes() -> None:
    body = bytes(range(256))
    lua = script(Load("/x", {}, [body]))
    text = lua.partition("local bodies = {")[2].partition("}\n")[0]
    # Lua's escapes are decimal, Python's octal.
    octal = "".join(f"\\{int(part[:3]):03o}{part[3:]}" for part in text[1:-1].split("\\")[1:])
    assert ast.literal_eval(f"b'{octal}'") == body


@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("taskset")), reason="wrk and taskset are not installed")
def test_each_request_has_fresh_ids_and_another_body_than_the_one_before(tmp_path: Path) -> None:
    received: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(65536):
                received.append(data)
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bodies = [b"a\0\n", b"X-Request-ID: ", b"%d\r\n\r\n"]
        result = fire(Load("/x", {"A": "b"}, bodies), server.server_address[1], 1, 1, "0", tmp_path / "wrk.lua")
        server.shutdown()
    assert result.rate > 0 and not result.lost and not result.refused
    heads, sent = zip(*(data.split(b"\r\n\r\n", 1) for data in received), strict=True)
    assert all(b"\r\nA: b" in head and head.startswith(b"POST /x HTTP/1.1\r\n") for head in heads)
    for pattern in (rb"\r\nX-Request-ID: ([0-9a-f]{32})\r\n", rb"\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n"):
        assert len({re.findall(pattern, head)[0] for head in heads}) == len(heads)
    assert all(one != other for one, other in itertools.pairwise(sent)) and set(sent) == set(bodies)
