"""When a model is called: requests gather in a queue while a call runs, and the next call predicts them together."""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context

from ML.config.config import Settings
from ML.prediction.answers import Answer
from ML.prediction.predictor import INLINE_SECONDS, Predictor
from rest_api.serving.admission import Admission
from rest_api.serving.call_runner import CallRunner
from rest_api.serving.job import Batch, Columns, Job, Key
from rest_api.serving.job_queue import JobQueue

MAX_LOOP_ITERATIONS = 10
"""Maximum number of loop iterations to wait for a batch to fill: under heavy load, requests never stop arriving."""

MIN_LONE_CALLS = 8
"""After this many calls in a row that served one request each, a request no longer waits for others to join it."""

MAX_CALLS_IN_THREAD = 2
"""The running call and a full batch behind it, so that the thread is never idle between two calls."""


class Batches:
    """The queues of this worker, one for each predictor. Used on the event loop only.

    There is no timer: the requests that arrive during a call form the next batch. A batch is sent off when it is full,
    or after the first loop iteration without new requests, so that simultaneous requests share a call.
    """

    def __init__(self, settings: Settings, initializer: Callable[[], None]) -> None:
        self.rows = 0
        """Rows that wait in the queues."""
        self._most_rows = settings.batch_max_rows
        self._admission = Admission(settings)
        self._runner = CallRunner(self._admission, initializer, self._start_gathering)
        self._in_thread = self._runner.in_thread
        self._queues: dict[Key, JobQueue] = {}
        self._gathering = False
        self._arrived = 0
        """Requests so far. A loop iteration that leaves it unchanged brought none."""
        self._lone_calls = 0
        """Calls in a row that served one request each."""
        self._arrived_now = False
        """Whether a request has arrived in this loop iteration, while others were served alone."""
        self._loop = asyncio.get_running_loop()
        # Callbacks serve several requests, so they run in the context of none of them.
        self._context = Context()

    def check(self, predictor: Predictor, rows: int = 1) -> None:
        """Raise Overloaded if an answer would come too late. A request that waits for no other is never refused."""
        if self.rows >= predictor.quick_rows or self._in_thread:  # otherwise the answer takes about a millisecond
            self._admission.check(predictor, rows, self.rows, self._queues, self._in_thread)

    def predict(
        self, predictor: Predictor, columns: Columns, rows: int, probabilities: bool
    ) -> "asyncio.Future[Answer]":
        """Return a future of the answer for these rows. Raise Overloaded.

        The future raises what the model raises for these rows alone, whatever the other rows of the batch do.
        """
        self.check(predictor, rows)
        key, job = (predictor, probabilities), Job(columns, rows, self._loop.create_future())
        self._arrived += 1
        if self._is_alone(predictor, rows):
            self._lone_calls += 1
            self._runner.run(key, [(job, 0, rows)])
            return job.future
        if key not in self._queues:
            self._queues[key] = JobQueue(self._most_rows if predictor.card.batched else None)
        self._queues[key].put(job)
        self.rows += rows
        self._start_gathering()
        return job.future

    @property
    def age(self) -> float:
        """Seconds that the oldest waiting request has waited."""
        since = [queue.jobs[0].since for queue in self._queues.values() if queue.jobs]
        return time.perf_counter() - min(since) if since else 0.0

    def close(self) -> None:
        """Stop the prediction thread after it has answered all accepted requests."""
        self._runner.close()

    def _is_alone(self, predictor: Predictor, rows: int) -> bool:
        """Return whether to call the model at once, because no other request is likely to share the call.

        That is so if none shared the latest calls, and none has arrived in this loop iteration.
        """
        if self._lone_calls < MIN_LONE_CALLS or self._queues or self._in_thread:
            return False
        if self._arrived_now:
            self._lone_calls = 0
            return False
        self._arrived_now = True
        self._loop.call_soon(self._end_iteration, context=self._context)
        return rows <= self._most_rows and self._runner.runs_inline(predictor, rows)

    def _end_iteration(self) -> None:
        self._arrived_now = False

    def _start_gathering(self) -> None:
        if not self._gathering and self._next_key():
            self._gathering = True
            self._gather(-1)  # waits for at least one loop iteration

    def _gather(self, arrived: int, iterations_left: int = MAX_LOOP_ITERATIONS) -> None:
        """Send the batches off if no request has arrived since `arrived` was counted, or if waiting is useless."""
        if self._arrived == arrived or not iterations_left or any(queue.full for queue in self._queues.values()):
            self._send_off()
        else:
            self._loop.call_soon(self._gather, self._arrived, iterations_left - 1, context=self._context)

    def _send_off(self) -> None:
        """Call the models, each queue in turn, and let the event loop do other work after INLINE_SECONDS."""
        until = time.perf_counter() + INLINE_SECONDS
        while key := self._next_key():
            if batch := self._take(key):
                self._lone_calls = self._lone_calls + 1 if len(batch) == 1 else 0
                self._runner.run(key, batch)
                if self._queues and time.perf_counter() > until:
                    self._loop.call_soon(self._send_off, context=self._context)
                    return
        self._gathering = False

    def _next_key(self) -> Key | None:
        """Return the first queue whose model can be called now.

        Return None if nothing waits, or if what waits may gather on because the thread has enough to do.
        """
        for key, queue in self._queues.items():
            if (
                not self._in_thread
                or (queue.ready and len(self._in_thread) < MAX_CALLS_IN_THREAD)
                or self._runner.runs_inline(key[0], queue.next_rows)
            ):
                return key
        return None

    def _take(self, key: Key) -> Batch:
        """Return the next batch of a queue. The queue moves to the end, or is removed if it is empty."""
        queue = self._queues.pop(key)
        before = queue.rows
        batch = queue.take()
        self.rows -= before - queue.rows
        if queue.jobs:
            self._queues[key] = queue
        return batch
