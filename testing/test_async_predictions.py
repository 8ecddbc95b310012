"""The load test, run as a person runs it."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable

from conftest import PASSWORD, ROOT, Server


def fire(url: str, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "testing/async_predictions.py", *arguments, "--url", url]
    environment = {**os.environ, "SERVICE_PASS": password}
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120)


def assert_one_plain_line(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and "Traceback" not in ended.stderr


def test_exactly_n_predictions_are_fired(server: Server) -> None:
    before = server.log.count("POST /predict 200")
    ended = fire(server.url, "123", "--concurrency", "8")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "statuses    200: 123\n" in ended.stdout
    assert server.log.count("POST /predict 200") - before == 123


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
    assert server.log.count("POST /get_prediction 200") - before == 20


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
    threading.Timer(3, server.stop).start()
    ended = fire(server.url, "1000000")
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
