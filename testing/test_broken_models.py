"""A model's file that somebody damaged or made: refused with a clear line, and the version before serves on."""

import json
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import httpx2 as httpx
import pytest
import skops.io
from callers import callers, said
from cards import write_sealed
from conftest import PASSWORD, USER, Server, eventually

ROW = {"x": 3, "y": 4}
TABLE = "x,y,label\n" + "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(60))


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", BOOTSTRAP="false", RUNTIME="sklearn")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def vouched(file: Path, data: bytes) -> None:
    """Writes the file, and its hash on the card: somebody who could write one could write both."""
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
    server: Server, damage: Callable[[Path], None], says: str
) -> None:
    good = server.train(TABLE, "label", force="true").raise_for_status().json()["version"]
    bad = server.train(TABLE, "label", force="true").raise_for_status().json()["version"]
    server.client.put("/models/classifier/current", json={"version": good}).raise_for_status()
    assert server.predict([ROW]).json()["model_version"] == good
    with callers(server.url, ROW) as answers:
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
    assert len(said(answers)) == 1 and said(answers).pop()[0] == good
    assert says in server.log.split("can't be loaded")[-1]
    assert server.client.get("/health/ready").json()["model_version"] == good
    assert 'outcome="failed"' in server.client.get("/metrics").text


def restart(server: Server) -> None:
    server.stop()
    server.client = httpx.Client(base_url=server.url, auth=(USER, PASSWORD), timeout=120)
    server.start()


def test_a_worker_that_starts_serves_the_version_before_a_damaged_one(server: Server) -> None:
    good, damaged, live = [server.train(TABLE, "label", force="true").json()["version"] for _ in range(3)]
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


def test_a_pointer_that_names_no_version_is_mended_without_a_restart(server: Server) -> None:
    good = server.train(TABLE, "label", force="true").json()["version"]
    (server.models_dir / "classifier" / "current").write_text("nonsense\n")
    restart(server)
    for _ in range(3):
        assert server.predict([ROW]).status_code == 503
    assert server.client.put("/models/classifier/current", json={"version": good}).status_code == 200
    assert server.predict([ROW]).json()["model_version"] == good
