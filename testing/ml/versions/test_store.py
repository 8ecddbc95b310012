"""Versions on disk: numbers, the pointer, retention, and concurrent processes."""

import concurrent.futures
import subprocess
import sys
import threading

import pytest

from ML.config.config import settings
from ML.errors import Conflict, NotFound, NotReady
from ML.versions import files, publishing, retention, store


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Set up an empty store that keeps two versions."""
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("KEEP_VERSIONS", "2")
    settings.cache_clear()
    yield tmp_path / "m"
    settings.cache_clear()


def claim():
    return store.claim("m", "upload", "y")


def publish(count=1):
    cards = [claim() for _ in range(count)]
    for card in cards:
        card.replaces = store.current("m")
        publishing.publish(card)
    return cards


def test_versions_count_from_one_and_a_claimed_one_is_in_training():
    assert [claim().version for _ in range(3)] == [1, 2, 3]
    assert store.versions("m") == [3, 2, 1] and store.read("m", 2).state == "training"
    assert store.current("m") is None


def test_processes_that_claim_at_once_get_numbers_of_their_own():
    code = "from ML.versions import store\nfor _ in range(20): print(store.claim('m', 'upload', 'y').version)"
    run = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    numbers = [int(line) for process in run for line in process.communicate()[0].split()]
    assert sorted(numbers) == list(range(1, 81)) == store.versions("m")[::-1]


@pytest.mark.parametrize("deleted", [[3], [2, 3], [3, 2], [1, 2, 3], [2]])
def test_the_number_of_a_deleted_version_is_never_used_again(deleted):
    for _ in range(3):
        store.write(claim().model_copy(update={"state": "failed"}))
    for number in deleted:
        retention.delete("m", number)
    assert claim().version == 4
    assert not set(store.versions("m")) & set(deleted)
    with pytest.raises(NotFound, match=f"m has no version {deleted[0]}; its versions are"):
        store.read("m", deleted[0])


def test_a_published_version_is_live_and_the_newest_are_kept():
    publish(4)
    assert [store.current("m"), store.versions("m")] == [4, [4, 3]]


def test_pruning_never_deletes_the_live_version_nor_one_in_training():
    publish(2)
    publishing.promote("m", 1)
    running = claim()
    for _ in range(4):
        held_back = claim()
        held_back.replaces = 99
        assert not publishing.publish(held_back)
    assert store.current("m") == 1
    assert store.versions("m") == [7, 6, running.version, 1]


def test_pruning_keeps_the_cards_of_failures_since_the_oldest_version_kept():
    store.write(claim().model_copy(update={"state": "failed"}))
    publish(2)
    store.write(claim().model_copy(update={"state": "failed"}))
    assert store.versions("m") == [4, 3, 2]
    publish(1)
    assert store.versions("m") == [5, 4, 3]


def test_of_failures_only_the_newest_cards_are_kept():
    publish(1)
    for _ in range(5):
        store.write(claim().model_copy(update={"state": "failed"}))
    retention.clear("m")
    assert store.versions("m") == [6, 5, 1]


def test_files_of_a_process_that_died_while_writing_are_removed(folder):
    publish(2)
    for leftover in (".current.99", "1/.card.json.99", "2/stop", "3/upload.csv"):
        (folder / leftover).parent.mkdir(exist_ok=True)
        (folder / leftover).touch()
    (folder / "4").mkdir()
    retention.clear("m")
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert left == ["1", "1/card.json", "2", "2/card.json", "4", "current", "lock"]
    assert claim().version == 5


def test_a_version_is_held_back_when_another_was_made_live_by_hand_meanwhile():
    publish(2)
    card = claim()
    publishing.promote("m", 1)
    assert publishing.publish(card) is False
    assert store.current("m") == 1 and store.read("m", 3).state == "ready"
    assert store.read("m", 3).notes == ["held back: version 1 was made live by hand while this one was trained"]
    assert publishing.promote("m", 3).version == store.current("m") == 3


@pytest.mark.parametrize("state", ["training", "failed"])
def test_only_a_ready_version_can_go_live(state):
    store.write(claim().model_copy(update={"state": state}))
    with pytest.raises(Conflict, match=f"Version 1 of m is {state}; only one that is ready can go live"):
        publishing.promote("m", 1)
    assert store.current("m") is None


def test_neither_the_live_version_nor_one_in_training_can_be_deleted():
    publish(1)
    claim()
    for number, reason in ((1, "is live; make another one live first"), (2, "is in training")):
        with pytest.raises(Conflict, match=reason):
            retention.delete("m", number)
    assert store.versions("m") == [2, 1]


def test_without_a_live_version_the_remedy_is_named():
    with pytest.raises(NotReady, match="m has no version yet; train it with POST /train_model"):
        store.live("m")
    with pytest.raises(NotFound, match="m has no version 5; its versions are none yet"):
        publishing.promote("m", 5)


def test_a_card_survives_an_answer_that_is_no_number(folder):
    card = claim()
    card.checks = [[float("nan")], None]
    publishing.publish(card)
    assert "NaN" not in (folder / "1" / files.CARD).read_text()
    assert store.read("m", 1).state == "ready" and store.live("m").version == 1


@pytest.mark.slow
def test_readers_never_see_half_a_card_nor_half_a_pointer():
    card = publish(1)[0]
    ended = threading.Event()

    def write():
        for size in range(300):
            card.notes = ["x" * 100] * (size % 50)
            store.write(card)
            publishing.promote("m", 1)
        ended.set()

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        while not ended.is_set() and not writing.done():
            assert store.read("m", 1).version == store.current("m") == 1
        writing.result()


def test_a_lock_is_held_across_processes():
    code = "from ML.versions import files\nwith files.locked('m', 'training', wait=False): print('mine')"
    with (
        files.locked("m", "training", wait=False),
        pytest.raises(BlockingIOError),
        files.locked("m", "training", False),
    ):
        pass
    with files.locked("m", "training"):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in run.stderr
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "mine\n"


def test_other_files_in_the_folder_are_left_alone(folder):
    publish(1)
    for name in ("notes", "٣", "-1", ".hidden"):
        (folder / name).mkdir()
    assert store.versions("m") == [1] and claim().version == 2


def test_nothing_is_left_beside_the_cards(folder):
    publish(3)
    assert sorted(path.name for path in (folder / "3").iterdir()) == ["card.json"]
    assert sorted(path.name for path in folder.iterdir()) == ["2", "3", "current", "lock"]
