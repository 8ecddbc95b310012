"""Decides whether a request may wait: refuses it at once if its answer would come too late."""

import math
import time
from collections.abc import Iterable, Mapping
from weakref import WeakKeyDictionary

from ML.config.config import Settings
from ML.errors import Problem
from ML.prediction.predictor import Predictor
from rest_api.serving.call import Call
from rest_api.serving.call_time import CALL_TIMES, CallTime
from rest_api.serving.job import Key
from rest_api.serving.job_queue import JobQueue
from rest_api.telemetry import counts

MARGIN = 0.8
"""Share of MAX_QUEUE_MS that the expected wait may reach, because half of all calls take longer than expected."""


class Overloaded(Problem):
    """The answer would come too late. The caller should retry later or ask another server."""

    status = 503

    def __init__(self, wait: float, bound: float) -> None:
        super().__init__(
            f"The server is overloaded: an answer would take {wait:.1f} s, and MAX_QUEUE_MS allows {bound:.1f} s. "
            "Retry after the time in the Retry-After header."
        )
        self.headers = {"retry-after": str(max(1, math.ceil(wait - MARGIN * bound)))}


class Admission:
    """Estimates how long a request would wait, from the call times of all predictors."""

    def __init__(self, settings: Settings) -> None:
        self._most_waiting, self._bound = settings.max_queue_rows, settings.max_queue_ms / 1000
        self._call_times: WeakKeyDictionary[Predictor, CallTime] = WeakKeyDictionary()

    def call_time(self, predictor: Predictor) -> CallTime:
        """Return the call time of a predictor, which starts with the time per row measured when it was loaded."""
        if predictor not in self._call_times:
            self._call_times[predictor] = CALL_TIMES[predictor] = CallTime()
            self._call_times[predictor].learn(1, predictor.row_seconds)
        return self._call_times[predictor]

    def check(
        self, predictor: Predictor, rows: int, waiting: int, queues: Mapping[Key, JobQueue], calls: Iterable[Call]
    ) -> None:
        """Raise Overloaded if the rows would wait too long, or if too many rows would wait with them."""
        wait = self._wait(predictor, queues, calls)
        if wait > MARGIN * self._bound or (waiting and waiting + rows > self._most_waiting):
            counts.refused("overload")
            raise Overloaded(wait, self._bound)

    def _wait(self, predictor: Predictor, queues: Mapping[Key, JobQueue], calls: Iterable[Call]) -> float:
        """Return the seconds until one more row would have its answer; 0 if no row waits for this predictor."""
        own = [queue for (other, _), queue in queues.items() if other is predictor]
        if not own:
            return 0.0
        # The queues take turns, so each of the others is called as often as the longest of this predictor's.
        wait, turns = sum(map(_remaining, calls)), max(queue.calls for queue in own)
        for (other, _), queue in queues.items():
            wait += queue.seconds(self.call_time(other), None if other is predictor else turns)
        return wait


def _remaining(call: Call) -> float:
    """Return the expected rest of a call in seconds. An overdue call is expected to be overdue for as long again."""
    return abs(call.expected - (time.perf_counter() - call.begun)) if call.begun else call.expected
