"""The load test's output: figures, a progress bar, and a page with charts."""

import math
import os
import pty
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest
from run_load_test import SCRIPT, run_load_test
from server import PASSWORD, ROOT, Server

from testing.load import tally
from testing.load.page import page
from testing.load.tally import Tally


def test_the_report_has_throughput_and_percentiles_in_order(server: Server) -> None:
    ended = run_load_test(server.url, "50")
    assert re.match(r"50 requests in \d+\.\d\d s, \d+ a second\n", ended.stdout)
    shown = re.search(r"p50 (\S+), p90 (\S+), p99 (\S+), p99.9 (\S+), max (\S+)\n", ended.stdout)
    assert shown
    latencies = [float(found) for found in shown.groups()]
    assert latencies == sorted(latencies)
    assert latencies[0] > 0


def test_the_report_is_one_page_with_the_figures(server: Server, tmp_path: Path) -> None:
    ended = run_load_test(server.url, "200", "--rows", "2", "--report", str(tmp_path / "out.html"))
    assert ended.returncode == 0, ended.stderr
    html = (tmp_path / "out.html").read_text()
    assert not re.search(r"<script|<link|<img|@import|url\(|(href|src)=", html)
    root = ElementTree.fromstring(html.removeprefix("<!doctype html>"))
    assert [svg.get("aria-label") for svg in root.iter("svg")] == ["Latency distribution", "Throughput over time"]
    figures = {row[0].text: row[1].text for row in root.iter("tr")}
    assert figures["requests"] == "200"
    assert figures["rows predicted"] == "400"
    assert figures["statuses"] == "200: 200"
    assert figures["request"] == "2 rows as JSON"
    for name, shown in re.findall(r"(p[\d.]+|max) ([\d.]+)", ended.stdout):
        assert float((figures[name] or "").removesuffix(" ms")) == pytest.approx(float(shown), abs=0.06)


def test_a_report_lists_failures_and_escapes_unusual_text() -> None:
    counted = Tally()
    counted.add(422, 0.001, 0.5)
    html = page(counted, {"request": "<b> & co", "url": "x"}, "422: <script>")
    root = ElementTree.fromstring(html.removeprefix("<!doctype html>"))
    assert "FAILED: 422: <script>" in "".join(root.itertext())
    assert "<b> & co" in "".join(root.itertext())


@pytest.mark.parametrize("latencies", [[1e-7], [0.001] * 5, [0.0005, 90], [9e9], [i / 1000 for i in range(1, 5000)]])
def test_percentiles_are_right_to_one_percent_and_can_be_drawn(latencies: list[float]) -> None:
    parts = [Tally(), Tally()]
    for number, seconds in enumerate(latencies):
        parts[number % 2].add(200, seconds, 0.01 + number / 100)
    whole = Tally()
    for part in parts:
        whole.merge(part)
    assert whole.done == len(latencies)
    for name, found in whole.percentiles().items():
        rank = len(latencies) if name == "max" else math.ceil(len(latencies) * float(name[1:]) / 100)
        exact = sorted(latencies)[rank - 1]
        assert found == pytest.approx(exact, rel=0.01) or exact > tally.edge(tally.BUCKETS)
    ElementTree.fromstring(page(whole, {"request": "", "url": ""}, "").removeprefix("<!doctype html>"))


def test_a_terminal_shows_a_bar(server: Server) -> None:
    screen, terminal = pty.openpty()
    environment = {**os.environ, "SERVICE_PASS": PASSWORD}
    with os.fdopen(terminal, "wb") as stderr:
        process = subprocess.Popen(
            [*SCRIPT, "300", "--url", server.url], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=stderr
        )
    seen = ""
    with os.fdopen(screen, "rb", buffering=0) as reader, suppress(OSError):  # how Linux tells that nobody writes
        while found := reader.read(4096):
            seen += found.decode()
    assert process.wait(60) == 0
    assert f"[{'#' * 40}] 300 of 300  " in seen
    assert seen.endswith(" a second\x1b[K\r\n")
