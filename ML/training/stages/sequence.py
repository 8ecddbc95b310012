"""Runs the stages one after the other, and keeps the card in the store up to date between them."""

import time
from collections.abc import Callable, Iterator

from threadpoolctl import threadpool_limits

from ML.config.config import settings
from ML.training.stages import compile, fit, gate, holdout, read, save
from ML.training.stages.job import Job
from ML.versions import store

Stage = Callable[[Job], Job]

STAGES: tuple[tuple[str, Stage], ...] = (
    ("read", read.read),
    ("holdout", holdout.hold_out),
    ("fit", fit.fit),
    ("score", fit.score),
    ("compare", gate.compare),
    ("save", save.save),
    ("compile", compile.compile),
)
"""Each stage under the name that the card shows, in the order of `ML.versions.progress.USUAL`."""


def run(job: Job) -> Iterator[Job]:
    """Run all stages. Yield the job each time a stage begins, and after the last, so that a failure has its card.

    Raise whatever a stage raises: Problem if the caller can fix it, OSError if the store can't be written.
    """
    for name, stage in STAGES:
        job = job.on_card(stage=name)
        yield job
        store.write(job.card)
        job = _timed(name, stage, job)
    yield job


def _timed(name: str, stage: Stage, job: Job) -> Job:
    """Return the stage's result with its duration in seconds on the card."""
    # Limited anew for each stage: the one before may have loaded a library that has threads.
    with threadpool_limits(settings().training_threads):
        started = time.perf_counter()
        job = stage(job)
        seconds = round(time.perf_counter() - started, 3)
    return job.on_card(seconds=job.card.seconds | {name: seconds})
