"""Log lines: one per request, with what an operator needs and no secrets."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from server import PASSWORD, Server, eventually

LINE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO (?P<id>\S+) (?P<method>[A-Z]+) (?P<path>\S+) (?P<status>\d+) "
    r"(?P<ms>[\d.]+)ms (?P<user>\S+) (?P<version>\S+)$", re.MULTILINE,
)  # fmt: skip


def lines(file: Path, text: str, times: int = 1) -> str:
    """Return the file's text once it has the text this often. Lines are written shortly after the answer."""
    eventually(lambda: file.read_text().count(text) >= times)
    return file.read_text()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "ML_server.log"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], file: Path) -> Server:
    return serve(LOG_FILE=str(file), WEB_CONCURRENCY="2")


def test_a_log_line_names_the_client_the_request_and_the_version_that_answered(
    server: Server, file: Path, iris: str
) -> None:
    server.predict_csv(iris, model="classifier")
    server.client.get("/models/nope?x=secret%0aquery")
    found = {match["path"]: match for match in LINE.finditer(lines(file, "/models/nope"))}
    predicted = found["/get_prediction"]
    assert (predicted["method"], predicted["status"], predicted["user"]) == ("POST", "200", "admin")
    assert predicted["version"] == "classifier/1"
    assert float(predicted["ms"]) > 0
    assert found["/models/nope"]["status"] == "404"
    assert server.logs("/models/nope")
    for text in (file.read_text(), server.log):
        assert PASSWORD not in text
        assert "versicolor" not in text
        assert "Basic" not in text


def test_a_line_break_in_the_path_makes_no_line(server: Server, file: Path) -> None:
    server.client.get("/models/x%0aFAKE%20LINE")
    text = lines(file, "/models/x%0aFAKE%20LINE")
    assert "/models/x%0aFAKE%20LINE" in text
    assert "\nFAKE" not in text


def test_lines_of_all_workers_are_whole(server: Server, file: Path) -> None:
    for place in range(200):
        server.client.get("/models", headers={"X-Request-ID": f"mine-{place}", "Connection": "close"})
    ids = [match["id"] for match in LINE.finditer(lines(file, "mine-", 200))]
    # Of two workers, one may write its line later although it answered earlier.
    assert sorted(f"mine-{place}" for place in range(200)) == sorted(i for i in ids if i.startswith("mine-"))
    assert server.logs("mine-", 200)
    assert file.read_text().count("mine-") == server.log.count("mine-") == 200


def test_logrotate_may_move_the_file(server: Server, file: Path) -> None:
    file.rename(file.with_suffix(".1"))
    for place in range(40):
        server.client.get("/models", headers={"X-Request-ID": f"moved-{place}", "Connection": "close"})
    assert lines(file, "moved-", 40).count("moved-") == 40
    assert "moved-" not in file.with_suffix(".1").read_text()


def test_lines_may_be_json(serve: Callable[..., Server], fork: Callable[..., Path]) -> None:
    server = serve(fork(broken=BROKEN), LOG_FORMAT="json", BOOTSTRAP="false", WEB_CONCURRENCY="1")
    server.train("x,y\n" + "1,a\n2,b\n" * 10, "y", model="broken").raise_for_status()
    assert server.predict([{"x": 99}], model="broken").status_code == 500
    server.client.get('/models/"quoted"%0aline', headers={"X-Request-ID": "mine"})
    assert server.logs('"id":"mine"')
    found = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    asked = next(line for line in found if line.get("id") == "mine")
    assert (asked["method"], asked["status"], asked["user"], asked["level"]) == ("GET", 404, "admin", "INFO")
    assert asked["path"].startswith("/models/") and asked["ms"] > 0
    assert any("KeyError: 'a bug'" in line.get("traceback", "") for line in found)
    assert any(line.get("version") == "broken/1" for line in found)


def test_a_file_that_cannot_be_written_is_one_warning(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(LOG_FILE=str(tmp_path / "no" / "folder" / "log"), WEB_CONCURRENCY="2", BOOTSTRAP="false")
    assert server.client.get("/models").status_code == 200
    assert server.logs(" GET /models 200 ")
    assert server.log.count("the log goes to stdout only") == 1


def test_an_error_in_the_estimator_is_a_500_with_the_id_of_its_traceback(
    serve: Callable[..., Server], fork: Callable[..., Path]
) -> None:
    broken = fork(broken=BROKEN)
    server = serve(broken, BOOTSTRAP="false", WEB_CONCURRENCY="1")
    server.train("x,y\n" + "1,a\n2,b\n" * 10, "y", model="broken").raise_for_status()
    answer = server.predict([{"x": 99}], model="broken")
    assert answer.status_code == 500
    request_id = answer.headers["x-request-id"]
    assert request_id in answer.json()["detail"]
    assert "Traceback" not in answer.text
    assert server.logs(f"{request_id} failed\nTraceback")
    assert server.predict([{"x": 1}], model="broken").json()["predictions"] == ["a"]


BROKEN = """
class Broken:
    def fit(self, X, y):
        return self

    def predict(self, X):
        if (X["x"] == 99).any():
            raise KeyError("a bug")
        return ["a"] * len(X)


def build():
    return Broken()


def score(model, X, y):
    return {"accuracy": 0.5}
"""
