"""Where a model is called: a quick one on the event loop, any other in the prediction thread."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from weakref import WeakKeyDictionary

from ML.prediction.answers import Answer
from ML.prediction.predictor import Predictor
from rest_api.serving.admission import Admission
from rest_api.serving.call import Call, answer, count
from rest_api.serving.job import Batch, Key
from rest_api.telemetry import counts

log = logging.getLogger("fast_ml.batches")

SLOW_SECONDS = 0.02
"""A call on the event loop that takes longer sends its predictor to the thread."""

SLOW_FACTOR = 1000
"""The predictor stays in the thread for so many times that duration. Perhaps the machine was just busy."""


class CallRunner:
    """Calls models for batches of requests and delivers the answers. Used on the event loop only.

    Calls of less than a millisecond run on the event loop: to hand them to the thread and back would take longer.
    """

    def __init__(self, admission: Admission, initializer: Callable[[], None], on_return: Callable[[], None]) -> None:
        self.in_thread: deque[Call] = deque()
        """Calls handed to the thread; the first one runs."""
        self._admission = admission
        self._on_return = on_return
        self._loop = asyncio.get_running_loop()
        self._slow_until: WeakKeyDictionary[Predictor, float] = WeakKeyDictionary()
        # Checked once, because the level does not change and a prediction can't spare the time.
        self._debug = log.isEnabledFor(logging.DEBUG)
        self._thread = ThreadPoolExecutor(1, "predict", initializer=initializer)

    def close(self) -> None:
        """Stop the thread after it has answered all accepted requests."""
        self._thread.shutdown()

    def runs_inline(self, predictor: Predictor, rows: int) -> bool:
        """Return whether a call with this many rows runs on the event loop."""
        return rows <= predictor.quick_rows and not (
            self._slow_until and self._slow_until.get(predictor, 0.0) > time.perf_counter()
        )

    def run(self, key: Key, batch: Batch) -> None:
        """Call the model on the event loop and deliver the answers, or hand the batch to the thread."""
        rows, begun = count(batch), time.perf_counter()
        if not self.runs_inline(key[0], rows):
            self._submit(key, batch, rows, begun)
            return
        # The call serves several requests, so it runs in a context of its own, not in that of one of them.
        results = Context().run(answer, key, batch)
        seconds = time.perf_counter() - begun
        self._admission.call_time(key[0]).learn(rows, seconds)
        self._deliver(key, batch, results)
        if seconds > SLOW_SECONDS:
            self._slow_until[key[0]] = begun + SLOW_FACTOR * seconds

    def _submit(self, key: Key, batch: Batch, rows: int, now: float) -> None:
        expected = self._admission.call_time(key[0]).of(rows)
        self.in_thread.append(Call(key, batch, expected, 0.0 if self.in_thread else now))
        self._thread.submit(Context().run, answer, key, batch).add_done_callback(self._call_ended)

    def _call_ended(self, call: "Future[list[Answer | Exception]]") -> None:
        """Return to the event loop. Runs in the thread."""
        self._loop.call_soon_threadsafe(self._finish, call.result(), time.perf_counter())

    def _finish(self, results: list[Answer | Exception], ended: float) -> None:
        """Deliver the answers of the first call in the thread and let the next batch follow."""
        call = self.in_thread.popleft()
        self._admission.call_time(call.key[0]).learn(call.rows, ended - call.begun)
        if self.in_thread:
            self.in_thread[0].begun = ended
        self._deliver(call.key, call.batch, results)
        self._on_return()

    def _deliver(self, key: Key, batch: Batch, results: list[Answer | Exception]) -> None:
        counts.batch(
            key[0].card.model,
            count(batch),
            key[0].target.classes,
            [result.predictions for result in results if isinstance(result, Answer)],
        )
        if self._debug:
            log.debug("%s: %d rows of %d requests in one call", key[0].name, count(batch), len(batch))
        for (job, start, _), result in zip(batch, results, strict=True):
            if job.future.done():
                continue
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.add(start, result)
