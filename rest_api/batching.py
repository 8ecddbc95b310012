"""Predictions in batches: while one `predict` runs, the next batch gathers."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any
from weakref import WeakSet

from ML.predictor import Answer, Predictor

Columns = Sequence[Sequence[Any]]
Key = tuple[Predictor, bool]
Batch = list[tuple["Job", int, int]]
"""Pieces of jobs: the job, its first row and the one after its last."""

TURNS = 10
"""Most turns of the loop that a batch gathers: under a flood of callers there is always one more."""

SLOW = 0.02
"""Seconds on the event loop after which a model, quick when it was loaded, goes to the thread for good."""


@dataclass(slots=True, eq=False)
class Job:
    """The rows of one caller, a sequence for each column, and what is answered of them."""

    columns: Columns
    rows: int
    future: "asyncio.Future[Answer]"
    begun: int = 0
    answers: list[Answer] = field(default_factory=list)


class Batches:
    """The worker's queues, one for each predictor, and its prediction thread. Called on the event loop only.

    There is no timer: what came in while a batch was computed is the next one. It is sent off in the first turn of the
    loop that brings nobody more, so that callers who are ready at the same time share a call. What the model answers in
    less than a millisecond is computed on the event loop: to hand it to the thread and back would take longer.
    """

    def __init__(self, most_rows: int, initializer: Callable[[], None]) -> None:
        self._most_rows = most_rows
        self._queues: dict[Key, deque[Job]] = {}
        self._busy = False
        self._arrived = 0
        self._loop = asyncio.get_running_loop()
        self._slow: WeakSet[Predictor] = WeakSet()
        self._thread = ThreadPoolExecutor(1, "predict", initializer=initializer)

    async def predict(self, predictor: Predictor, columns: Columns, rows: int, probabilities: bool) -> Answer:
        """The answer for these rows. Raises what the model raises for them alone, whoever else is in the batch."""
        job = Job(columns, rows, self._loop.create_future())
        self._queues.setdefault((predictor, probabilities), deque()).append(job)
        self._arrived += 1
        if not self._busy:
            self._busy = True
            self._gather(0)
        return await job.future

    def close(self) -> None:
        """Ends the thread once it has answered what was accepted."""
        self._thread.shutdown()

    def _gather(self, arrived: int, turns: int = TURNS) -> None:
        if self._arrived == arrived or not turns:
            self._next()
        else:
            self._loop.call_soon(self._gather, self._arrived, turns - 1)

    def _next(self) -> None:
        """Sends the next batch to the thread, the predictors in turn."""
        while self._queues:
            key = next(iter(self._queues))
            queue = self._queues.pop(key)
            batch = _taken(queue, self._most_rows if key[0].card.batched else None)
            if queue:
                self._queues[key] = queue
            if batch and self._quick(key[0], batch):
                self._answer_here(key, batch)
                return
            if batch:
                self._thread.submit(_answer, key, batch).add_done_callback(partial(self._answered, batch))
                return
        self._busy = False

    def _quick(self, predictor: Predictor, batch: Batch) -> bool:
        return sum(end - start for _, start, end in batch) <= predictor.quick_rows and predictor not in self._slow

    def _answer_here(self, key: Key, batch: Batch) -> None:
        begun = time.perf_counter()
        self._deliver(batch, _answer(key, batch))
        if time.perf_counter() - begun > SLOW:
            self._slow.add(key[0])

    def _answered(self, batch: Batch, done: "Future[list[Answer | Exception]]") -> None:
        self._loop.call_soon_threadsafe(self._deliver, batch, done.result())

    def _deliver(self, batch: Batch, results: list[Answer | Exception]) -> None:
        for (job, _, end), result in zip(batch, results, strict=True):
            if job.future.done():
                continue
            if isinstance(result, Exception):
                job.future.set_exception(result)
                continue
            job.answers.append(result)
            if end == job.rows:
                job.future.set_result(_joined(job.answers))
        self._gather(-1)


def _taken(queue: deque[Job], most: int | None) -> Batch:
    """Takes jobs from the queue up to so many rows; the rest of a large one goes to its end, so that small ones pass.

    Without a number a batch is one job, whole. Jobs whose caller has gone are left out.
    """
    batch: Batch = []
    room = most or 0
    while queue and (room > 0 or not (most or batch)):
        job = queue.popleft()
        if job.future.done():
            continue
        start, job.begun = job.begun, min(job.rows, job.begun + room) if most else job.rows
        batch.append((job, start, job.begun))
        room -= job.begun - start
        if job.begun < job.rows:
            queue.append(job)
    return batch


def _answer(key: Key, batch: Batch) -> list[Answer | Exception]:
    """The answer of each piece. A batch that raises is halved until only the guilty piece fails."""
    predictor, probabilities = key
    try:
        columns = [list(chain.from_iterable(parts)) for parts in zip(*map(_rows, batch), strict=True)]
        whole = predictor.predict(predictor.table(columns), probabilities)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever a model raises goes to its caller
        if len(batch) == 1:
            return [error]
        half = len(batch) // 2
        return _answer(key, batch[:half]) + _answer(key, batch[half:])
    return list(_split(whole, batch))


def _rows(piece: tuple[Job, int, int]) -> Columns:
    job, start, end = piece
    return job.columns if end - start == job.rows else [column[start:end] for column in job.columns]


def _split(whole: Answer, batch: Batch) -> Iterator[Answer]:
    first = 0
    for _, start, end in batch:
        last = first + end - start
        shares = whole.probabilities
        yield Answer(whole.predictions[first:last], shares[first:last] if shares is not None else None)
        first = last


def _joined(answers: list[Answer]) -> Answer:
    if len(answers) == 1:
        return answers[0]
    shares = None if answers[0].probabilities is None else [row for a in answers for row in a.probabilities or ()]
    return Answer([label for answer in answers for label in answer.predictions], shares)
