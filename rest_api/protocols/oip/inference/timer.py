"""Times the parts of a request to `infer`, for Triton's statistics."""

import time
from types import TracebackType
from typing import Self

from ML.prediction.predictor import Predictor
from rest_api.serving.call_time import CALL_TIMES
from rest_api.telemetry import counts


class InferenceTimer:
    """Times a request to `infer` and counts it when the `with` block ends. Call `mark` after each part."""

    __slots__ = ("_live", "_marks")

    def __init__(self, live: Predictor) -> None:
        self._live, self._marks = live, [time.perf_counter()]

    def restart(self) -> None:
        """Start again, without the time that the client needed to send the body."""
        self._marks = [time.perf_counter()]

    def mark(self) -> None:
        """End a part: first the input, then the predictions."""
        self._marks.append(time.perf_counter())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        now, model = time.perf_counter(), self._live.card.model
        if kind is None:
            begun, parsed, answered = self._marks
            # The call that predicted these rows is the latest one, or one shortly before it.
            call = min(answered - parsed, CALL_TIMES[self._live].latest)
            counts.inferred(model, (now - begun, answered - parsed - call, parsed - begun, call, now - answered))
        elif issubclass(kind, Exception):
            counts.failed(model, now - self._marks[0])
