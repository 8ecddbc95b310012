"""The stages of a training: their order, and what the card says between them."""

from datetime import UTC, datetime

import pytest

from ML.config.config import settings
from ML.training import estimators
from ML.training.stages import sequence
from ML.training.stages.job import Job
from ML.versions import progress, store
from ML.versions.card import Card


def fails(job):
    raise RuntimeError("this stage fails")


@pytest.fixture
def job(tmp_path, monkeypatch):
    """The job of a version that a store has."""
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    settings.cache_clear()
    (tmp_path / "m" / "1").mkdir(parents=True)
    card = Card(model="m", version=1, origin="command", target_variable="y", created=datetime.now(UTC))
    yield Job(card, estimators.load("classifier"), upload=b"")
    settings.cache_clear()


def test_the_stages_are_those_of_the_progress_in_the_same_order():
    assert ["waiting", *(name for name, _ in sequence.STAGES)] == list(progress.USUAL)


def test_each_stage_gets_the_job_of_the_one_before(job, monkeypatch):
    stages = (("read", lambda job: job.on_card("one", rows={"train": 1})), ("fit", lambda job: job.on_card("two")))
    monkeypatch.setattr(sequence, "STAGES", stages)
    *_, last = sequence.run(job)
    assert (last.card.stage, last.card.rows, last.card.notes) == ("fit", {"train": 1}, ["one", "two"])
    assert list(last.card.seconds) == ["read", "fit"]
    assert (job.card.stage, job.card.notes, job.card.seconds) == ("waiting", [], {})


def test_a_stage_that_fails_is_on_the_card_in_hand_and_in_the_store(job, monkeypatch):
    monkeypatch.setattr(sequence, "STAGES", (("read", lambda job: job.on_card("one")), ("fit", fails)))
    seen: list[Card] = []
    with pytest.raises(RuntimeError, match="this stage fails"):
        seen.extend(step.card for step in sequence.run(job))
    assert [card.stage for card in seen] == ["read", "fit"]
    assert seen[-1] == store.read("m", 1)
    assert (seen[-1].notes, list(seen[-1].seconds)) == (["one"], ["read"])
