"""Damaged or forged model files are refused with a clear message, and the previous version serves on."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import skops.io
from busy_callers import busy_callers, distinct_answers
from cards import write_sealed
from server import PASSWORD, USER, Server, eventually

ROW = {"x": 3, "y": 4}
TABLE = "x,y,label\n" + "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(60))


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", BOOTSTRAP="false", RUNTIME="sklearn")


@pytest.fixture(scope="module")
def add(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], int]:
    """Return a function that makes a copy of a trained version live, because training takes longer than a test."""
    store, saved = server.models_dir / "classifier", tmp_path_factory.mktemp("trained") / "version"
    trained = server.train(TABLE, "label", force="true").raise_for_status().json()["version"]
    shutil.copytree(store / str(trained), saved)

    def copy() -> int:
        versions = sorted(int(path.name) for path in store.iterdir() if path.name.isdigit())
        for old in versions[:-4]:  # as a training removes old versions
            shutil.rmtree(store / str(old))
        version = versions[-1] + 1
        shutil.copytree(saved, store / str(version))
        card = json.loads((saved / "card.json").read_text()) | {"version": version}
        write_sealed(store / str(version) / "card.json", card)
        server.client.put("/models/classifier/current", json={"version": version}).raise_for_status()
        return version

    return copy


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def vouched(file: Path, data: bytes) -> None:
    """Write the file and its hash on the card, as an attacker who can write one can write both."""
    file.write_bytes(data)
    path = file.parent / "card.json"
    write_sealed(path, json.loads(path.read_text()) | {"sha256": sha256(data).hexdigest()})


def put_a_foreign_type(file: Path) -> None:
    vouched(file, skops.io.dumps({"model": Fraction(1, 3)}))


def put_nonsense(file: Path) -> None:
    vouched(file, b"nonsense")


def empty(file: Path) -> None:
    vouched(file, b"")


DAMAGES = [(truncate, "SHA-256 differs"), (flip_a_bit, "SHA-256 differs"), (put_a_foreign_type, "fractions.Fraction"),
           (put_nonsense, "model.skops"), (empty, "model.skops")]  # fmt: skip


@pytest.mark.parametrize(("damage", "says"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_a_damaged_version_is_refused_and_the_good_one_serves(
    server: Server, add: Callable[[], int], damage: Callable[[Path], None], says: str
) -> None:
    good, bad = add(), add()
    server.client.put("/models/classifier/current", json={"version": good}).raise_for_status()
    assert server.predict([ROW]).json()["model_version"] == good
    with busy_callers(server.url, ROW) as answers:
        damage(server.models_dir / "classifier" / str(bad) / "model.skops")
        refused = server.client.put("/models/classifier/current", json={"version": bad})
        assert refused.status_code in (409, 422) and says in str(refused.json()["detail"]), refused.text
        # Somebody points at it all the same, past the API.
        pointer = server.models_dir / "classifier" / "current"
        before, asked = server.log.count("can't be loaded"), len(answers)
        pointer.with_name("aside").write_text(f"{bad}\n")
        pointer.with_name("aside").replace(pointer)
        assert eventually(lambda: server.log.count("can't be loaded") > before)
        assert eventually(lambda: len(answers) > asked + 20)
    assert len(distinct_answers(answers)) == 1 and distinct_answers(answers).pop()[0] == good
    assert says in server.log.split("can't be loaded")[-1]
    assert server.client.get("/health/ready").json()["model_version"] == good
    assert 'outcome="failed"' in server.client.get("/metrics").text


def restart(server: Server) -> None:
    server.stop()
    server.client = httpx.Client(base_url=server.url, auth=(USER, PASSWORD), timeout=120)
    server.start()


def test_a_worker_that_starts_serves_the_version_before_a_damaged_one(server: Server, add: Callable[[], int]) -> None:
    good, damaged, live = add(), add(), add()
    for version in (damaged, live):
        truncate(server.models_dir / "classifier" / str(version) / "model.skops")
    restart(server)
    answer = server.predict([ROW])
    assert (answer.status_code, answer.json()["model_version"]) == (200, good), answer.text
    assert f"classifier/{live}/model.skops" in server.log.split("can't be loaded")[1]
    assert f"serving classifier/{good} in its place" in server.log
    assert server.client.get("/health/ready").json()["model_version"] == good
    newest = server.train(TABLE, "label", force="true").json()["version"]
    assert server.predict([ROW]).json()["model_version"] == newest


def test_a_pointer_that_names_no_version_is_mended_without_a_restart(server: Server, add: Callable[[], int]) -> None:
    good = add()
    (server.models_dir / "classifier" / "current").write_text("nonsense\n")
    restart(server)
    for _ in range(3):
        assert server.predict([ROW]).status_code == 503
    assert server.client.put("/models/classifier/current", json={"version": good}).status_code == 200
    assert server.predict([ROW]).json()["model_version"] == good


def swap_classes(card: dict[str, Any]) -> None:
    card["target"]["classes"].reverse()


def empty_checks(card: dict[str, Any]) -> None:
    card["checks"] = []


def change_a_score(card: dict[str, Any]) -> None:
    card["metrics"]["accuracy"] = 1.0


def remove_the_seal(card: dict[str, Any]) -> None:
    del card["seal"]


def empty_the_examples(card: dict[str, Any]) -> None:
    card["features"]["columns"][0]["examples"] = []


EDITS = [swap_classes, empty_checks, change_a_score, remove_the_seal, empty_the_examples]


@pytest.mark.parametrize("edit", EDITS, ids=[edit.__name__ for edit in EDITS])
def test_a_version_whose_card_was_edited_is_refused_and_the_good_one_serves(
    server: Server, add: Callable[[], int], edit: Callable[[dict[str, Any]], None]
) -> None:
    good, bad = add(), add()
    server.client.put("/models/classifier/current", json={"version": good}).raise_for_status()
    assert server.predict([ROW]).json()["model_version"] == good
    path = server.models_dir / "classifier" / str(bad) / "card.json"
    card = json.loads(path.read_text())
    edit(card)
    path.write_text(json.dumps(card))
    refused = server.client.put("/models/classifier/current", json={"version": bad})
    assert refused.status_code == 409, refused.text
    assert f"card of version {bad} of classifier" in refused.text and "train again" in refused.text
    assert "roll back" in refused.text
    (server.models_dir / "classifier" / "current").write_text(f"{bad}\n")
    assert server.predict([ROW]).json()["model_version"] == good
    assert f"card of version {bad} of classifier" in server.log.split("can't be loaded")[-1]
    for route in ("/models", "/models/classifier", "/models/classifier/versions", f"/models/classifier/versions/{bad}"):
        assert server.client.get(route).status_code == 200
    assert "train again" in server.client.get("/models/classifier").json()["problem"]
    again = server.train(TABLE, "label").raise_for_status().json()
    assert server.predict([ROW]).json()["model_version"] == again["version"] != bad


def test_a_card_that_can_not_be_read_hides_no_other_model(server: Server, add: Callable[[], int]) -> None:
    live = add()
    (server.models_dir / "classifier" / str(live) / "card.json").write_text("{")
    models = server.client.get("/models").raise_for_status().json()
    problem = next(each for each in models if each["model"] == "classifier")["problem"]
    assert f"version {live} of classifier can't be read" in problem
    assert server.train(TABLE, "label", force="true").status_code == 200


def test_a_worker_that_starts_serves_the_version_before_one_whose_card_was_edited(
    server: Server, add: Callable[[], int]
) -> None:
    good, edited = add(), add()
    path = server.models_dir / "classifier" / str(edited) / "card.json"
    path.write_text(path.read_text().replace('"forced": true', '"forced": false'))
    restart(server)
    assert server.predict([ROW]).json()["model_version"] == good
    assert "its checksum differs" in server.log


def test_layout_is_not_content_and_a_card_without_a_seal_can_be_accepted(
    server: Server, add: Callable[[], int]
) -> None:
    version = add()
    path = server.models_dir / "classifier" / str(version) / "card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(card.items())), indent=3))
    assert server.client.put("/models/classifier/current", json={"version": version}).status_code == 200
    del card["seal"]
    path.write_text(json.dumps(card))
    refused = server.client.put("/models/classifier/current", json={"version": version})
    assert refused.status_code == 409 and "python -m ML.training --seal" in refused.text
    command = [sys.executable, "-m", "ML.training", "--seal"]
    output = subprocess.check_output(command, env=server.environment, cwd=server.project, text=True)
    assert f"classifier: sealed versions: [{version}]" in output
    assert server.client.put("/models/classifier/current", json={"version": version}).status_code == 200
