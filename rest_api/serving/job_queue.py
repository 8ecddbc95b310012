"""The jobs that wait for one model in this worker, and how many calls of it they will take."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ML.prediction.answers import Answer
from ML.prediction.predictor import Predictor
from rest_api.serving.call_time import CallTime

Key = tuple[Predictor, bool]
"""Whose queue it is, and whether probabilities are wanted."""
Columns = Sequence[Sequence[Any]]
Batch = list[tuple["Job", int, int]]
"""Pieces of jobs: the job, its first row and the one after its last."""


@dataclass(slots=True, eq=False)
class Job:
    """The rows of one caller, a sequence for each column, and the answers of their pieces."""

    columns: Columns
    rows: int
    future: "asyncio.Future[Answer]"
    begun: int = 0
    answered: int = 0
    """How many of its rows have an answer."""
    pieces: dict[int, Answer] = field(default_factory=dict)
    """By the first row of each: one on the event loop can end before an earlier one in the thread."""
    since: float = field(default_factory=time.perf_counter)

    def add(self, start: int, answer: Answer) -> None:
        """Take the answer of the piece that begins at this row. The job is done when all of its rows have one."""
        self.pieces[start] = answer
        self.answered += len(answer.predictions)
        if self.answered == self.rows:
            self.future.set_result(joined([self.pieces[first] for first in sorted(self.pieces)]))


def joined(answers: list[Answer]) -> Answer:
    """Return the answer to a job from those of its pieces, in order."""
    if len(answers) == 1:
        return answers[0]
    shares = None if answers[0].probabilities is None else [row for a in answers for row in a.probabilities or ()]
    return Answer([label for answer in answers for label in answer.predictions], shares)


class JobQueue:
    """A queue of jobs. `most` rows make a batch; without that number a batch is one job, whole."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.jobs: deque[Job] = deque()
        self.rows = 0
        self.ahead = 0
        """Rows that are called before those of a job that comes now: of a large one, only its next piece."""

    def put(self, job: Job) -> None:
        """Adds a job at the end."""
        self.jobs.append(job)
        self._count(job, 1)

    def take(self) -> Batch:
        """The next batch. The rest of a large job goes to the end, so that small ones pass.

        Jobs whose caller has gone are left out.
        """
        batch: Batch = []
        room = self.most or 0
        while self.jobs and (room > 0 or not (self.most or batch)):
            job = self.jobs.popleft()
            self._count(job, -1)
            if job.future.done():
                continue
            start, job.begun = job.begun, min(job.rows, job.begun + room) if self.most else job.rows
            batch.append((job, start, job.begun))
            room -= job.begun - start
            if job.begun < job.rows:
                self.put(job)
        return batch

    @property
    def full(self) -> bool:
        """Whether the next batch is as large as it may be: there is no use in waiting for more."""
        return self.rows >= self.most if self.most else bool(self.jobs)

    @property
    def ready(self) -> bool:
        """Whether the next batch may be taken ahead: full, and no mere piece of a large job, which others may pass."""
        return self.full and (not self.most or self.jobs[0].rows - self.jobs[0].begun <= self.most)

    @property
    def next_rows(self) -> int:
        """Most rows that the next batch can have."""
        return min(self.rows, self.most) if self.most else self.jobs[0].rows

    @property
    def calls(self) -> int:
        """Calls until one more row is answered, its own included."""
        return self.ahead // self.most + 1 if self.most else len(self.jobs) + 1

    def seconds(self, pace: CallTime, turns: int | None = None) -> float:
        """How long those calls take, or only so many of them; without a number, one more row is among them."""
        size = self.most or 1 + self.ahead // (1 + len(self.jobs))
        if turns is not None and turns < self.calls:
            return turns * pace.of(size)
        return (self.calls - 1) * pace.of(size) + pace.of(self.ahead % size + (turns is None))

    def _count(self, job: Job, sign: int) -> None:
        rows = job.rows - job.begun
        self.rows += sign * rows
        self.ahead += sign * min(rows, self.most or rows)
