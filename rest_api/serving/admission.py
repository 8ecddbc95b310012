"""Whether a request may wait for its answer: it is refused at once where that would come too late."""

import math
import time
from collections.abc import Iterable, Mapping
from weakref import WeakKeyDictionary

from ML.config.config import Settings
from ML.errors import Problem
from ML.prediction.predictor import Predictor
from rest_api.serving.call import Call
from rest_api.serving.call_time import CALL_TIMES, CallTime
from rest_api.serving.job_queue import JobQueue, Key
from rest_api.telemetry import counts

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


class Admission:
    """Knows how long the calls of each predictor take, and so how long a request would wait."""

    def __init__(self, settings: Settings) -> None:
        self._most_waiting, self._bound = settings.max_queue_rows, settings.max_queue_ms / 1000
        self._paces: WeakKeyDictionary[Predictor, CallTime] = WeakKeyDictionary()

    def pace(self, predictor: Predictor) -> CallTime:
        """How long its calls take, learned from them."""
        if predictor not in self._paces:
            self._paces[predictor] = CALL_TIMES[predictor] = CallTime()
            self._paces[predictor].learn(1, predictor.row_seconds)
        return self._paces[predictor]

    def check(
        self, predictor: Predictor, rows: int, waiting: int, queues: Mapping[Key, JobQueue], calls: Iterable[Call]
    ) -> None:
        """Raises Overloaded where so many rows would wait too long, or too many rows would wait with them."""
        wait = self._wait(predictor, queues, calls)
        if wait > MARGIN * self._bound or (waiting and waiting + rows > self._most_waiting):
            counts.refused("overload")
            raise Overloaded(wait, self._bound)

    def _wait(self, predictor: Predictor, queues: Mapping[Key, JobQueue], calls: Iterable[Call]) -> float:
        """Seconds until one more row would be answered; 0 where no other of this model waits."""
        own = [queue for (other, _), queue in queues.items() if other is predictor]
        if not own:
            return 0.0
        wait, turns = sum(map(_remaining, calls)), max(queue.calls for queue in own)
        for (other, _), queue in queues.items():
            wait += queue.seconds(self.pace(other), None if other is predictor else turns)
        return wait


def _remaining(call: Call) -> float:
    """Seconds of a call. One that takes longer than expected will probably go on for as long again."""
    return abs(call.expected - (time.perf_counter() - call.begun)) if call.begun else call.expected
