"""The load test sends the requested predictions, run from the command line."""

import json
import math
import re
from pathlib import Path

from run_load_test import SHOT, assert_one_plain_line, run_load_test
from server import Server, eventually

from testing.load.crew import orders


def test_exactly_n_predictions_are_fired(server: Server) -> None:
    before = server.log.count("POST /predict 200")
    ended = run_load_test(server.url, "123", "--concurrency", "8")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "statuses    200: 123\n" in ended.stdout
    assert eventually(lambda: server.log.count("POST /predict 200") - before == 123)


def test_one_prediction_is_enough(server: Server) -> None:
    assert "statuses    200: 1\n" in run_load_test(server.url, "1").stdout


def test_the_example_fits_the_live_model(server: Server) -> None:
    table = "height,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(60))
    assert server.train(table, "kind").status_code == 200
    assert run_load_test(server.url, "5").returncode == 0


def test_csv_uploads_the_sample(server: Server, iris: str) -> None:
    assert server.train(iris, "species").status_code == 200
    before = server.log.count("POST /get_prediction 200")
    ended = run_load_test(server.url, "20", "--csv")
    assert ended.returncode == 0, ended.stderr
    assert eventually(lambda: server.log.count("POST /get_prediction 200") - before == 20)


def test_the_count_must_be_a_positive_whole_number(server: Server) -> None:
    for bad in "0", "-3", "1.5", "many":
        assert "N: must be a whole number above 0" in run_load_test(server.url, "--", bad).stderr or bad == "-3"
        assert run_load_test(server.url, bad).returncode == 2


def test_an_invalid_url_is_refused() -> None:
    for bad in "localhost:8000", "http://host:port", "ftp://host":
        ended = run_load_test(bad, "5")
        assert ended.returncode == 2
        assert "must be like http://127.0.0.1:8000" in ended.stderr


def test_processes_share_the_requests_and_their_counts_add_up(server: Server) -> None:
    before = server.log.count("POST /predict 200")
    ended = run_load_test(server.url, "101", "--processes", "3", "--concurrency", "4")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "statuses    200: 101\n" in ended.stdout
    assert eventually(lambda: server.log.count("POST /predict 200") - before == 101)


def test_shares_add_up_and_no_share_is_empty() -> None:
    for processes, concurrency, n in (3, 32, 100), (8, 4, 100), (4, 32, 2), (1, 1, 1), (2, 3, None):
        shares = orders(SHOT, processes, concurrency, n, math.inf)
        assert sum(share.concurrency for share in shares) == min(concurrency, n or concurrency)
        assert sum(share.n or 0 for share in shares) == (n or 0)
        assert all(share.concurrency and share.n != 0 for share in shares)


def test_rows_are_counted(server: Server) -> None:
    ended = run_load_test(server.url, "20", "--rows", "7")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^rows        140 predicted, \d+ a second$", ended.stdout, re.MULTILINE)


def test_a_body_of_ones_own_is_sent(server: Server, iris: str, tmp_path: Path) -> None:
    assert server.train(iris, "species").status_code == 200
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]] * 3}))
    ended = run_load_test(server.url, "10", "--json", str(body))
    assert ended.returncode == 0, ended.stderr
    assert "rows        30 predicted" in ended.stdout
    assert run_load_test(server.url, "5", "--json").returncode == 0


def test_a_body_that_can_not_be_sent_is_reported(server: Server, tmp_path: Path) -> None:
    ended = run_load_test(server.url, "10", "--json", str(tmp_path / "missing"))
    assert_one_plain_line(ended)
    assert "missing: No such file" in ended.stderr
    (tmp_path / "broken").write_text("{")
    ended = run_load_test(server.url, "10", "--json", str(tmp_path / "broken"))
    assert_one_plain_line(ended)
    assert "broken is no JSON" in ended.stderr


def test_a_duration_takes_the_place_of_n(server: Server) -> None:
    ended = run_load_test(server.url, "--duration", "1.5", "--concurrency", "2")
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
        ended = run_load_test("http://127.0.0.1:9", *arguments)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert says in ended.stderr
