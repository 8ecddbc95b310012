"""Predictions in batches: while one `predict` runs, the next batch gathers."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from weakref import WeakKeyDictionary

from ML.config.config import Settings
from ML.prediction.answers import Answer
from ML.prediction.predictor import INLINE_SECONDS, Predictor
from rest_api.serving.admission import Admission
from rest_api.serving.call import Call, answer, count
from rest_api.serving.job_queue import Batch, Columns, Job, JobQueue, Key
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.batches")

MAX_LOOP_ITERATIONS = 10
"""Most turns of the loop that a batch gathers: under a flood of callers there is always one more."""

SLOW = 0.02
"""Seconds on the event loop after which a model, quick when it was loaded, goes to the thread."""

LONG = 1000
"""It stays there for so many times as long as it took: it may have been the machine, which was busy for a moment."""

MAX_LONE_SECONDS = 8
"""Calls for one caller each after which the next is not waited for: a caller alone is answered two turns earlier."""

MAX_CALLS_AHEAD = 2
"""Calls in the thread: a full batch is there before the one that runs has ended, so that the model never idles."""


class Batches:
    """The worker's queues, one for each predictor, and its prediction thread. Called on the event loop only.

    There is no timer: what came in while a batch was computed is the next one. It is sent off when it is full, or in
    the first turn of the loop that brings nobody more, so that callers who are ready at the same time share a call.
    What the model answers in less than a millisecond is computed on the event loop: to hand it to the thread and back
    would take longer.
    """

    def __init__(self, settings: Settings, initializer: Callable[[], None]) -> None:
        self._most_rows = settings.batch_max_rows
        # Asked once: the level does not change, and a prediction can't spare the time.
        self._debug = log.isEnabledFor(logging.DEBUG)
        self._admission = Admission(settings)
        self._queues: dict[Key, JobQueue] = {}
        self._calls: deque[Call] = deque()
        self.rows = 0
        """That wait."""
        self._gathering = False
        self._arrived = 0
        self._lone_calls = 0
        self._came = False
        self._loop = asyncio.get_running_loop()
        # A call answers several callers: it runs in the context of none of them.
        self._context = Context()
        self._slow: WeakKeyDictionary[Predictor, float] = WeakKeyDictionary()
        self._thread = ThreadPoolExecutor(1, "predict", initializer=initializer)

    def predict(
        self, predictor: Predictor, columns: Columns, rows: int, probabilities: bool
    ) -> "asyncio.Future[Answer]":
        """The answer for these rows. Raises what the model raises for them alone, whoever else is in the batch.

        Raises Overloaded too.
        """
        self.check(predictor, rows)
        key, job = (predictor, probabilities), Job(columns, rows, self._loop.create_future())
        self._arrived += 1
        if self._alone(predictor, rows):
            self._call(key, [(job, 0, rows)])
            return job.future
        if key not in self._queues:
            self._queues[key] = JobQueue(self._most_rows if predictor.card.batched else None)
        self._queues[key].put(job)
        self.rows += rows
        self._wake(0)
        return job.future

    def _alone(self, predictor: Predictor, rows: int) -> bool:
        """Whether nobody is likely to share a call: nobody did lately, nor came in this turn of the loop."""
        if self._lone_calls < MAX_LONE_SECONDS or self._queues or self._calls:
            return False
        if self._came:
            self._lone_calls = 0
            return False
        self._came = True
        self._loop.call_soon(self._next_turn, context=self._context)
        return rows <= self._most_rows and self._quick(predictor, rows)

    def _next_turn(self) -> None:
        self._came = False

    def check(self, predictor: Predictor, rows: int = 1) -> None:
        """Raises Overloaded where an answer would come too late. What waits for nobody else is never refused."""
        if self.rows >= predictor.quick_rows or self._calls:  # else it comes within a millisecond
            self._admission.check(predictor, rows, self.rows, self._queues, self._calls)

    @property
    def age(self) -> float:
        """Seconds that the first of those that wait has waited."""
        since = [queue.jobs[0].since for queue in self._queues.values() if queue.jobs]
        return time.perf_counter() - min(since) if since else 0.0

    def close(self) -> None:
        """Ends the thread once it has answered what was accepted."""
        self._thread.shutdown()

    def _wake(self, arrived: int) -> None:
        if not self._gathering and self._first():
            self._gathering = True
            self._gather(arrived)

    def _gather(self, arrived: int, turns: int = MAX_LOOP_ITERATIONS) -> None:
        if self._arrived == arrived or not turns or any(queue.full for queue in self._queues.values()):
            self._send_off()
        else:
            self._loop.call_soon(self._gather, self._arrived, turns - 1, context=self._context)

    def _send_off(self) -> None:
        """Calls the models, the predictors in turn; after a while on the loop others pass first."""
        until = time.perf_counter() + INLINE_SECONDS
        while key := self._first():
            if batch := self._take(key):
                self._call(key, batch)
                if self._queues and time.perf_counter() > until:
                    self._loop.call_soon(self._send_off, context=self._context)
                    return
        self._gathering = False

    def _first(self) -> Key | None:
        """Whose turn it is; None where nothing waits, or what waits may gather on, as the thread has enough to do."""
        for key, queue in self._queues.items():
            if (
                not self._calls
                or (queue.ready and len(self._calls) < MAX_CALLS_AHEAD)
                or self._quick(key[0], queue.next_rows)
            ):
                return key
        return None

    def _quick(self, predictor: Predictor, rows: int) -> bool:
        """Whether the event loop can call it."""
        return rows <= predictor.quick_rows and not (
            self._slow and self._slow.get(predictor, 0.0) > time.perf_counter()
        )

    def _take(self, key: Key) -> Batch:
        queue = self._queues.pop(key)
        before = queue.rows
        batch = queue.take()
        self.rows -= before - queue.rows
        if queue.jobs:
            self._queues[key] = queue
        return batch

    def _call(self, key: Key, batch: Batch) -> None:
        rows, begun = count(batch), time.perf_counter()
        self._lone_calls = self._lone_calls + 1 if len(batch) == 1 else 0
        if not self._quick(key[0], rows):
            call = Call(key, batch, self._admission.pace(key[0]).of(rows), 0.0 if self._calls else begun)
            self._calls.append(call)
            self._thread.submit(Context().run, answer, key, batch).add_done_callback(self._answered)
            return
        results = Context().run(answer, key, batch)
        seconds = time.perf_counter() - begun
        self._admission.pace(key[0]).learn(rows, seconds)
        self._deliver(key, batch, results)
        if seconds > SLOW:
            self._slow[key[0]] = begun + LONG * seconds

    def _answered(self, done: "Future[list[Answer | Exception]]") -> None:
        self._loop.call_soon_threadsafe(self._returned, done.result(), time.perf_counter())

    def _returned(self, results: list[Answer | Exception], ended: float) -> None:
        call = self._calls.popleft()
        self._admission.pace(call.key[0]).learn(call.rows, ended - call.begun)
        if self._calls:
            self._calls[0].begun = ended
        self._deliver(call.key, call.batch, results)
        self._wake(-1)

    def _deliver(self, key: Key, batch: Batch, results: list[Answer | Exception]) -> None:
        if self._debug:
            log.debug("%s: %d rows of %d requests in one call", key[0].name, count(batch), len(batch))
        counts.batch(
            key[0].card.model,
            count(batch),
            key[0].target.classes,
            [result.predictions for result in results if isinstance(result, Answer)],
        )
        for (job, start, _), result in zip(batch, results, strict=True):
            if job.future.done():
                continue
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.add(start, result)
