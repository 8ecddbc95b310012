"""A call of the model for several callers: their rows joined, the answer split, and only the guilty one fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from ML.prediction.answers import Answer
from rest_api.serving.job_queue import Batch, Columns, Job, Key


@dataclass(slots=True, eq=False)
class Call:
    """A batch in the prediction thread, and the seconds that it is expected to take."""

    key: Key
    batch: Batch
    expected: float
    begun: float = 0.0
    """0 while it waits for the one before it."""

    @property
    def rows(self) -> int:
        """Of all its pieces."""
        return count(self.batch)


def count(batch: Batch) -> int:
    """The rows of a batch."""
    return sum([end - start for _, start, end in batch])


def answer(key: Key, batch: Batch) -> list[Answer | Exception]:
    """The answer of each piece. A batch that raises is halved until only the guilty piece fails."""
    predictor, probabilities = key
    try:
        parts = list(map(_rows, batch))
        columns = (
            parts[0] if len(parts) == 1 else [list(chain.from_iterable(each)) for each in zip(*parts, strict=True)]
        )
        whole = _complete(predictor.predict(predictor.table(columns), probabilities), count(batch))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary: whatever a model raises goes to its caller
        if len(batch) == 1:
            return [_carried(error)]
        half = len(batch) // 2
        return answer(key, batch[:half]) + answer(key, batch[half:])
    return list(_split(whole, batch))


def _complete(whole: Answer, rows: int) -> Answer:
    """Raise RuntimeError unless each row has its prediction and, where asked for, its probabilities."""
    counts = {len(whole.predictions), rows if whole.probabilities is None else len(whole.probabilities)}
    if counts != {rows}:
        raise RuntimeError(f"The model answered {counts} rows for {rows}")
    return whole


def _carried(error: Exception | SystemExit) -> Exception:
    """What a future can carry: StopIteration would end a coroutine, and SystemExit the worker."""
    if isinstance(error, StopIteration | SystemExit):
        return RuntimeError(f"The model raised {error!r}").with_traceback(error.__traceback__)
    return error


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
