"""The load test ends with one plain line if the server fails, is not reachable or stops."""

import math
import multiprocessing
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from run_load_test import SCRIPT, SHOT, assert_one_plain_line, run_load_test, wait_for_predictions
from server import PASSWORD, ROOT, Server

from testing.load import firing
from testing.load.tally import Tally


def test_a_failed_prediction_fails_the_run_and_says_why(server: Server) -> None:
    table = "height,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(60))
    assert server.train(table, "kind").status_code == 200
    ended = run_load_test(server.url, "10", "--csv")
    assert_one_plain_line(ended)
    assert "statuses    422: 10\n" in ended.stdout
    assert "predicts kind, not species" in ended.stderr


def test_a_wrong_password_stops_it_early(server: Server) -> None:
    ended = run_load_test(server.url, "1000000", password="wrong")
    assert_one_plain_line(ended)
    assert "the server refuses this user and password" in ended.stderr
    assert "200" not in ended.stdout
    # It tried once, so that the server has not blocked this machine.
    assert run_load_test(server.url, "1").returncode == 0


def test_a_server_that_is_not_there_is_named(server: Server) -> None:
    for arguments in ("5",), ("5", "--csv"):
        ended = run_load_test("http://127.0.0.1:9", *arguments)
        assert_one_plain_line(ended)
        assert "no server answers there (Cannot connect to host 127.0.0.1:9" in ended.stderr


def test_a_server_that_stops_ends_it(serve: Callable[..., Server]) -> None:
    server = serve()

    def stop() -> None:
        wait_for_predictions(server, 50)
        server.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    ended = run_load_test(server.url, "1000000")
    stopping.join()
    assert_one_plain_line(ended)
    assert "200: " in ended.stdout


def test_a_server_without_a_model_is_distinguished_from_one_that_fails(serve: Callable[..., Server]) -> None:
    ended = run_load_test(serve(BOOTSTRAP="false").url, "5")
    assert_one_plain_line(ended)
    assert "train its default model first" in ended.stderr


@contextmanager
def answering(body: bytes, hold: threading.Event | None = None) -> Iterator[str]:
    """Start a server that gives every request the same answer once `hold` is set."""

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


def test_an_answer_that_is_not_a_prediction_ends_the_load_test() -> None:
    with answering(b"{}") as url:
        ended = run_load_test(url, "1000000", "--csv")
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
