"""The load test, run as a person runs it."""

import json
import math
import multiprocessing
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import PASSWORD, ROOT, Server, eventually

from testing.load import firing, tally
from testing.load.crew import orders
from testing.load.page import page
from testing.load.shot import Shot
from testing.load.tally import Tally

SCRIPT = [sys.executable, "-W", "error", "testing/async_predictions.py"]
SHOT = Shot("http://127.0.0.1:9/predict", {}, b"{}", 1, "1 row as JSON")


def fire(url: str, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    command = [*SCRIPT, *arguments, "--url", url]
    environment = {**os.environ, "SERVICE_PASS": password}
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120)


def wait_for_predictions(server: Server, more: int) -> None:
    before = server.log.count("POST /predict 200")
    assert eventually(lambda: server.log.count("POST /predict 200") - before >= more, 60)


def assert_one_plain_line(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and "Traceback" not in ended.stderr


def test_exactly_n_predictions_are_fired(server: Server) -> None:
    before = server.log.count("POST /predict 200")
    ended = fire(server.url, "123", "--concurrency", "8")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "statuses    200: 123\n" in ended.stdout
    assert eventually(lambda: server.log.count("POST /predict 200") - before == 123)


def test_the_report_has_throughput_and_percentiles_in_order(server: Server) -> None:
    ended = fire(server.url, "50")
    assert re.match(r"50 requests in \d+\.\d\d s, \d+ a second\n", ended.stdout)
    shown = re.search(r"p50 (\S+), p90 (\S+), p99 (\S+), p99.9 (\S+), max (\S+)\n", ended.stdout)
    assert shown
    latencies = [float(found) for found in shown.groups()]
    assert latencies == sorted(latencies)
    assert latencies[0] > 0


def test_one_prediction_is_enough(server: Server) -> None:
    assert "statuses    200: 1\n" in fire(server.url, "1").stdout


def test_the_example_suits_whatever_model_is_live(server: Server) -> None:
    table = "height,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(60))
    assert server.train(table, "kind").status_code == 200
    assert fire(server.url, "5").returncode == 0


def test_csv_uploads_the_sample(server: Server, iris: str) -> None:
    assert server.train(iris, "species").status_code == 200
    before = server.log.count("POST /get_prediction 200")
    ended = fire(server.url, "20", "--csv")
    assert ended.returncode == 0, ended.stderr
    assert eventually(lambda: server.log.count("POST /get_prediction 200") - before == 20)


def test_a_failed_prediction_fails_the_run_and_says_why(server: Server) -> None:
    table = "height,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(60))
    assert server.train(table, "kind").status_code == 200
    ended = fire(server.url, "10", "--csv")
    assert_one_plain_line(ended)
    assert "statuses    422: 10\n" in ended.stdout
    assert "predicts kind, not species" in ended.stderr


def test_a_wrong_password_stops_it_early(server: Server) -> None:
    ended = fire(server.url, "1000000", password="wrong")
    assert_one_plain_line(ended)
    assert "the server refuses this user and password" in ended.stderr
    assert "200" not in ended.stdout


def test_a_server_that_is_not_there_is_named(server: Server) -> None:
    for arguments in ("5",), ("5", "--csv"):
        ended = fire("http://127.0.0.1:9", *arguments)
        assert_one_plain_line(ended)
        assert "no server answers there (Cannot connect to host 127.0.0.1:9" in ended.stderr


def test_a_server_that_stops_ends_it(serve: Callable[..., Server]) -> None:
    server = serve()

    def stop() -> None:
        wait_for_predictions(server, 50)
        server.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    ended = fire(server.url, "1000000")
    stopping.join()
    assert_one_plain_line(ended)
    assert "200: " in ended.stdout


def test_a_server_without_a_model_is_told_from_one_that_fails(serve: Callable[..., Server]) -> None:
    ended = fire(serve(BOOTSTRAP="false").url, "5")
    assert_one_plain_line(ended)
    assert "train its default model first" in ended.stderr


def test_a_number_that_is_none_is_refused(server: Server) -> None:
    for bad in "0", "-3", "1.5", "many":
        assert "N: must be a whole number above 0" in fire(server.url, "--", bad).stderr or bad == "-3"
        assert fire(server.url, bad).returncode == 2


def test_a_url_that_is_none_is_refused() -> None:
    for bad in "localhost:8000", "http://host:port", "ftp://host":
        ended = fire(bad, "5")
        assert ended.returncode == 2
        assert "must be like http://127.0.0.1:8000" in ended.stderr


def test_processes_share_the_requests_and_their_counts_add_up(server: Server) -> None:
    before = server.log.count("POST /predict 200")
    ended = fire(server.url, "101", "--processes", "3", "--concurrency", "4")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "statuses    200: 101\n" in ended.stdout
    assert eventually(lambda: server.log.count("POST /predict 200") - before == 101)


def test_shares_add_up_and_none_is_empty() -> None:
    for processes, concurrency, n in (3, 32, 100), (8, 4, 100), (4, 32, 2), (1, 1, 1), (2, 3, None):
        shares = orders(SHOT, processes, concurrency, n, math.inf)
        assert sum(share.concurrency for share in shares) == min(concurrency, n or concurrency)
        assert sum(share.n or 0 for share in shares) == (n or 0)
        assert all(share.concurrency and share.n != 0 for share in shares)


def test_rows_are_counted(server: Server) -> None:
    ended = fire(server.url, "20", "--rows", "7")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^rows        140 predicted, \d+ a second$", ended.stdout, re.MULTILINE)


def test_a_body_of_ones_own_is_sent(server: Server, iris: str, tmp_path: Path) -> None:
    assert server.train(iris, "species").status_code == 200
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]] * 3}))
    ended = fire(server.url, "10", "--json", str(body))
    assert ended.returncode == 0, ended.stderr
    assert "rows        30 predicted" in ended.stdout
    assert fire(server.url, "5", "--json").returncode == 0


def test_a_body_that_cannot_be_sent_is_told(server: Server, tmp_path: Path) -> None:
    ended = fire(server.url, "10", "--json", str(tmp_path / "missing"))
    assert_one_plain_line(ended)
    assert "missing: No such file" in ended.stderr
    (tmp_path / "broken").write_text("{")
    ended = fire(server.url, "10", "--json", str(tmp_path / "broken"))
    assert_one_plain_line(ended)
    assert "broken is no JSON" in ended.stderr


def test_a_duration_takes_the_place_of_n(server: Server) -> None:
    ended = fire(server.url, "--duration", "1.5", "--concurrency", "2")
    assert ended.returncode == 0, ended.stderr
    found = re.match(r"\d+ requests in (\S+) s", ended.stdout)
    assert found and 1.4 < float(found[1]) < 10


def test_options_that_contradict_each_other_are_refused() -> None:
    for arguments, says in (
        ((), "give N, the number of requests, or --duration, but not both"),
        (("5", "--duration", "1"), "but not both"),
        (("--duration", "0"), "must be a number of seconds above 0"),
        (("5", "--csv", "--json", "x"), "not allowed with argument"),
        (("5", "--csv", "--rows", "2"), "--rows is for made-up rows"),
        (("5", "--processes", "0"), "must be a whole number above 0"),
        (("5", "--report", "no/such/folder/x.html"), "must be a file in a folder that exists"),
    ):
        ended = fire("http://127.0.0.1:9", *arguments)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert says in ended.stderr


def test_the_report_is_one_page_with_the_figures(server: Server, tmp_path: Path) -> None:
    ended = fire(server.url, "200", "--rows", "2", "--report", str(tmp_path / "out.html"))
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


def test_a_report_tells_of_failures_and_shows_odd_text_as_it_is() -> None:
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


@contextmanager
def answering(body: bytes, hold: threading.Event | None = None) -> Iterator[str]:
    """A server that answers everything alike, once `hold` is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if hold:
                hold.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{listener.server_port}"
        finally:
            if hold:
                hold.set()
            listener.shutdown()


def test_an_answer_that_is_none_ends_it() -> None:
    with answering(b"{}") as url:
        ended = fire(url, "1000000", "--csv")
    assert_one_plain_line(ended)
    assert "the answer holds no predictions: {}" in ended.stderr
    with pytest.raises(ValueError, match="2 predictions for 1 rows"):
        SHOT.rows_in(b'{"predictions": [1, 2]}')


def test_a_server_that_goes_silent_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firing, "PATIENCE", 0.5)
    ours, theirs = multiprocessing.Pipe()
    ours.send(time.monotonic())
    with ours, theirs, answering(b"{}", threading.Event()) as url:
        firing.main(firing.Order(replace(SHOT, url=url), concurrency=2, n=5, duration=math.inf), theirs)
        told = Tally()
        assert ours.recv() is None
        while ours.poll():
            told.merge(ours.recv())
    assert (told.done, told.hopeless) == (0, "no answer for 0.5 seconds")


def test_ctrl_c_ends_it_with_the_figures_so_far(server: Server) -> None:
    environment = {**os.environ, "SERVICE_PASS": PASSWORD}
    command = [*SCRIPT, "1000000", "--processes", "2", "--url", server.url]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=-1, stderr=-1, start_new_session=True
    )
    wait_for_predictions(server, 50)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, "FAILED: interrupted\n")
    assert re.search(r"statuses    200: \d+\n", output)


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
