"""Versions in a server with several workers: they change at once, roll back in one call, and are never half loaded."""

import concurrent.futures
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from cards import write_sealed
from server import Server

ROW = {"x": 3, "y": 4}
TABLE = "x,y,label\n" + "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(60))
OTHER = TABLE.replace(",a\n", ",c\n")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start a server of its own with three workers, because these tests break its store."""
    return serve(WEB_CONCURRENCY="3", KEEP_VERSIONS="3", BOOTSTRAP="false")


def ask(server: Server, times: int) -> list[dict[str, object]]:
    """Return the answers to concurrent predictions on new connections, so that every worker is used."""
    import httpx2 as httpx
    from server import PASSWORD, USER

    def one(_: int) -> dict[str, object]:
        answer = httpx.post(f"{server.url}/predict", json={"instances": [ROW]}, auth=(USER, PASSWORD), timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(one, range(times)))


def versions(server: Server, state: str = "ready") -> list[int]:
    return [
        card["version"] for card in server.client.get("/models/classifier/versions").json() if card["state"] == state
    ]


def live(server: Server) -> int:
    return int(server.client.get("/models/classifier").json()["live"]["version"])


def test_before_any_version_predict_says_so_and_train_works(server: Server) -> None:
    for answer in (server.client.get("/health/ready"), server.predict([ROW]), server.predict_csv("x,y\n1,2\n")):
        assert answer.status_code == 503
        assert "train it with POST /train_model" in answer.json()["detail"]
    assert server.client.get("/models/classifier").json()["live"] is None
    assert server.client.get("/models/classifier/versions").json() == []
    assert server.client.get("/openapi.json").status_code == 200
    assert server.train(TABLE, "label").json()["version"] == 1
    assert server.client.get("/health/ready").json() == {"status": "ready", "model_version": 1}


def test_every_prediction_after_a_training_names_the_new_version(server: Server) -> None:
    for table in (OTHER, TABLE):
        trained = server.train(table, "label").json()["version"]
        assert Counter(answer["model_version"] for answer in ask(server, 200)) == {trained: 200}


def test_rolling_back_is_one_call(server: Server) -> None:
    newest, before = versions(server)[:2]
    assert server.client.put("/models/classifier/current", json={"version": before}).json()["live"] is True
    assert {answer["model_version"] for answer in ask(server, 100)} == {before}
    assert server.client.put("/models/classifier/current", json={"version": newest}).status_code == 200
    assert {answer["model_version"] for answer in ask(server, 100)} == {newest}


def test_predictions_during_a_swap_are_true_to_the_version_they_name(server: Server) -> None:
    first = server.train(TABLE, "label").json()["version"]
    second = server.train(OTHER, "label").json()["version"]
    truth = {first: "a", second: "c"}
    row = {"x": 4, "y": 4}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        swaps = pool.submit(
            lambda: [server.client.put("/models/classifier/current", json={"version": v}) for v in [first, second] * 10]
        )
        for answer in ask_row(server, row, 400):
            assert answer["predictions"] == [truth[int(str(answer["model_version"]))]]
        assert {answer.status_code for answer in swaps.result()} == {200}


def ask_row(server: Server, row: dict[str, int], times: int) -> list[dict[str, object]]:
    return [dict(server.predict([row]).json()) for _ in range(times)]


def test_the_newest_versions_are_kept_and_the_live_one(server: Server) -> None:
    oldest = versions(server)[-1]
    server.client.put("/models/classifier/current", json={"version": oldest})
    for _ in range(3):
        server.train(TABLE, "label", force="true")
        server.client.put("/models/classifier/current", json={"version": oldest})
    kept = versions(server)
    assert oldest in kept
    assert len(kept) == 4
    assert live(server) == oldest
    server.client.put("/models/classifier/current", json={"version": kept[0]})
    assert server.client.delete(f"/models/classifier/versions/{oldest}").status_code == 204
    assert oldest not in versions(server)


def test_the_number_of_a_deleted_version_is_not_used_again(server: Server) -> None:
    before = live(server)
    newest = server.train(TABLE, "label", force="true").json()["version"]
    server.client.put("/models/classifier/current", json={"version": before})
    assert server.client.delete(f"/models/classifier/versions/{newest}").status_code == 204
    assert server.train(TABLE, "label", force="true").json()["version"] == newest + 1


def test_a_failed_training_keeps_its_card_with_the_reason_and_nothing_else(server: Server) -> None:
    was = live(server)
    failed = server.train(TABLE + "1e999,1,a\n", "label")
    assert failed.status_code == 422
    version = versions(server, "failed")[0]
    card = server.client.get(f"/models/classifier/versions/{version}").json()
    assert card["error"] == failed.json()["detail"]
    assert [path.name for path in (server.models_dir / "classifier" / str(version)).iterdir()] == ["card.json"]
    assert live(server) == was
    promoted = server.client.put("/models/classifier/current", json={"version": version})
    assert promoted.status_code == 409
    assert "is failed" in promoted.json()["detail"]


def test_a_second_training_of_the_model_waits_its_turn(server: Server) -> None:
    big = "x,y,label\n" + "".join(f"{i},{i * 7 % 13},{'ab'[i % 2]}\n" for i in range(50_000))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: server.train(big, "label"), range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert "is in training; try again" in refused.json()["detail"]


def killed(server: Server) -> bool:
    """Kill the training and return whether there was one."""
    command = ["pkill", "-9", "-g", str(server.process.pid), "-x", "training"]
    return subprocess.run(command, check=False).returncode == 0


def test_a_training_that_is_killed_is_reported_and_leaves_the_live_version_alone(server: Server) -> None:
    was = live(server)
    big = "x,y,label\n" + "".join(f"{i},{i * 7 % 13},{'ab'[i % 2]}\n" for i in range(200_000))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.train, big, "label")
        while not killed(server):
            assert not answer.done()
    assert answer.result().status_code == 500
    assert "killed by signal 9" in answer.result().json()["detail"]
    assert live(server) == was
    assert server.train(TABLE, "label").status_code == 200


def test_a_broken_version_is_refused_and_the_good_one_serves_on(server: Server) -> None:
    good = live(server)
    bad = server.train(OTHER, "label", force="true").json()["version"]
    server.client.put("/models/classifier/current", json={"version": good})
    assert {answer["model_version"] for answer in ask(server, 50)} == {good}
    file = server.models_dir / "classifier" / str(bad) / "model.skops"
    file.write_bytes(file.read_bytes()[:-100])
    refused = server.client.put("/models/classifier/current", json={"version": bad})
    assert refused.status_code == 422
    assert "SHA-256 differs" in refused.json()["detail"]
    # Somebody points at it all the same, past the API.
    pointer = server.models_dir / "classifier" / "current"
    pointer.with_name("aside").write_text(f"{bad}\n")
    pointer.with_name("aside").replace(pointer)
    assert {answer["model_version"] for answer in ask(server, 50)} == {good}
    assert server.logs("can't be loaded")
    assert server.client.put("/models/classifier/current", json={"version": good}).status_code == 200


def test_a_version_that_answers_its_check_rows_differently_is_refused(server: Server) -> None:
    version = server.train(TABLE, "label", force="true").json()["version"]
    path = server.models_dir / "classifier" / str(version) / "card.json"
    card = json.loads(path.read_text())
    card["checks"][0][0] = "z"
    write_sealed(path, card)
    refused = server.client.put("/models/classifier/current", json={"version": version})
    assert refused.status_code == 409
    assert "differently than when it was trained with scikit-learn" in refused.json()["detail"]
    server.train(TABLE, "label").raise_for_status()


def test_a_store_that_cannot_be_written_says_so(server: Server, tmp_path: Path) -> None:
    aside = tmp_path / "classifier"
    shutil.move(server.models_dir / "classifier", aside)
    (server.models_dir / "classifier").write_text("a file where the folder should be")
    try:
        refused = server.train(TABLE, "label")
        assert refused.status_code == 507
        assert "can't be written" in refused.json()["detail"]
    finally:
        (server.models_dir / "classifier").unlink()
        shutil.move(aside, server.models_dir / "classifier")
    assert server.predict([ROW]).status_code == 200


def test_the_training_command_publishes_to_a_running_server(server: Server, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(TABLE)
    command = [sys.executable, "-m", "ML.training", "classifier", str(table), "label"]
    subprocess.run(command, env=server.environment, cwd=server.project, check=True)
    assert server.predict([ROW]).json()["model_version"] == versions(server)[0]
    assert server.client.get("/models/classifier").json()["live"]["origin"] == "command"
