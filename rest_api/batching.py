"""Predictions in batches: while one `predict` runs, the next batch gathers."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from weakref import WeakKeyDictionary, WeakSet

from ML.config.config import Settings
from ML.errors import Problem
from ML.predictor import Answer, Predictor
from rest_api import metrics
from rest_api.pace import Pace
from rest_api.waiting import Batch, Columns, Job, Waiting

Key = tuple[Predictor, bool]

TURNS = 10
"""Most turns of the loop that a batch gathers: under a flood of callers there is always one more."""

SLOW = 0.02
"""Seconds on the event loop after which a model, quick when it was loaded, goes to the thread for good."""


MARGIN = 0.8
"""Share of the allowed time that may be promised: calls take longer than expected as often as shorter."""


class Overloaded(Problem):
    """The answer would come too late, so that it is better asked for elsewhere, or later."""

    status = 503

    def __init__(self, wait: float, bound: float) -> None:
        super().__init__(
            f"The server is overloaded: an answer would take {wait:.1f} s, and MAX_QUEUE_MS allows {bound:.1f}; "
            "try again as Retry-After says"
        )
        self.headers = {"retry-after": str(max(1, math.ceil(wait - MARGIN * bound)))}


class Batches:
    """The worker's queues, one for each predictor, and its prediction thread. Called on the event loop only.

    There is no timer: what came in while a batch was computed is the next one. It is sent off in the first turn of the
    loop that brings nobody more, so that callers who are ready at the same time share a call. What the model answers in
    less than a millisecond is computed on the event loop: to hand it to the thread and back would take longer.
    """

    def __init__(self, settings: Settings, initializer: Callable[[], None]) -> None:
        self._most_rows = settings.batch_max_rows
        self._most_waiting, self._bound = settings.max_queue_rows, settings.max_queue_ms / 1000
        self._queues: dict[Key, Waiting] = {}
        self._paces: WeakKeyDictionary[Predictor, Pace] = WeakKeyDictionary()
        self._running: tuple[float, float] | None = None
        self.rows = 0
        """That wait."""
        self._busy = False
        self._arrived = 0
        self._loop = asyncio.get_running_loop()
        self._slow: WeakSet[Predictor] = WeakSet()
        self._thread = ThreadPoolExecutor(1, "predict", initializer=initializer)

    async def predict(self, predictor: Predictor, columns: Columns, rows: int, probabilities: bool) -> Answer:
        """The answer for these rows. Raises what the model raises for them alone, whoever else is in the batch.

        Raises Overloaded too.
        """
        self.check(predictor, rows)
        key = predictor, probabilities
        if key not in self._queues:
            self._queues[key] = Waiting(self._most_rows if predictor.card.batched else None)
        job = Job(columns, rows, self._loop.create_future())
        self._queues[key].put(job)
        self.rows += rows
        self._arrived += 1
        if not self._busy:
            self._busy = True
            self._gather(0)
        return await job.future

    def check(self, predictor: Predictor, rows: int = 1) -> None:
        """Raises Overloaded where an answer would come too late. What waits for nobody else is never refused."""
        if self.rows < predictor.quick_rows and not self._running:
            return  # within a millisecond
        wait = self._wait(predictor)
        if wait > MARGIN * self._bound or (self.rows and self.rows + rows > self._most_waiting):
            metrics.refused("overload")
            raise Overloaded(wait, self._bound)

    @property
    def age(self) -> float:
        """Seconds that the first of those that wait has waited."""
        since = [queue.jobs[0].since for queue in self._queues.values() if queue.jobs]
        return time.perf_counter() - min(since) if since else 0.0

    def _wait(self, predictor: Predictor) -> float:
        """Seconds until one more row would be answered; 0 where no other of this model waits."""
        own = [queue for (other, _), queue in self._queues.items() if other is predictor]
        if not own:
            return 0.0
        wait, turns = self._remaining(), max(queue.calls for queue in own)
        for (other, _), queue in self._queues.items():
            wait += queue.seconds(self._pace(other), None if other is predictor else turns)
        return wait

    def _remaining(self) -> float:
        """Seconds of the call under way. One that takes longer than expected will probably go on for as long again."""
        if not self._running:
            return 0.0
        begun, expected = self._running
        return abs(expected - (time.perf_counter() - begun))

    def _pace(self, predictor: Predictor) -> Pace:
        if predictor not in self._paces:
            self._paces[predictor] = Pace()
            self._paces[predictor].learn(1, predictor.row_seconds)
        return self._paces[predictor]

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
            before = queue.rows
            batch = queue.take()
            self.rows -= before - queue.rows
            if queue.jobs:
                self._queues[key] = queue
            if batch:
                self._call(key, batch)
                return
        self._busy = False

    def _call(self, key: Key, batch: Batch) -> None:
        rows, begun = sum(end - start for _, start, end in batch), time.perf_counter()
        pace = self._pace(key[0])
        if rows <= key[0].quick_rows and key[0] not in self._slow:
            results = _answer(key, batch)
            seconds = time.perf_counter() - begun
            pace.learn(rows, seconds)
            self._deliver(key, batch, results)
            if seconds > SLOW:
                self._slow.add(key[0])
        else:
            self._running = begun, pace.of(rows)
            self._thread.submit(_answer, key, batch).add_done_callback(partial(self._answered, key, batch))

    def _answered(self, key: Key, batch: Batch, done: "Future[list[Answer | Exception]]") -> None:
        self._loop.call_soon_threadsafe(self._returned, key, batch, done.result(), time.perf_counter())

    def _returned(self, key: Key, batch: Batch, results: list[Answer | Exception], ended: float) -> None:
        assert self._running
        self._pace(key[0]).learn(sum(end - start for _, start, end in batch), ended - self._running[0])
        self._running = None
        self._deliver(key, batch, results)

    def _deliver(self, key: Key, batch: Batch, results: list[Answer | Exception]) -> None:
        metrics.batch(
            key[0].card.model,
            sum(end - start for _, start, end in batch),
            key[0].target.classes,
            [result.predictions for result in results if isinstance(result, Answer)],
        )
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
