"""One call of a model for several requests: joins their rows, splits the answer, and isolates rows that raise."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from ML.prediction.answers import Answer
from rest_api.serving.job import Batch, Columns, Job, Key


@dataclass(slots=True, eq=False)
class Call:
    """A batch in the prediction thread, and its expected duration in seconds."""

    key: Key
    batch: Batch
    expected: float
    begun: float = 0.0
    """When it began, in seconds of `time.perf_counter`; 0 while the call before it runs."""

    @property
    def rows(self) -> int:
        """Number of rows of all pieces."""
        return count(self.batch)


def count(batch: Batch) -> int:
    """Return the number of rows in a batch."""
    return sum([end - start for _, start, end in batch])


def answer(key: Key, batch: Batch) -> list[Answer | Exception]:
    """Return the answer or exception for each piece. A batch that raises is halved until single pieces raise."""
    predictor, probabilities = key
    try:
        parts = list(map(_rows, batch))
        columns = (
            parts[0] if len(parts) == 1 else [list(chain.from_iterable(each)) for each in zip(*parts, strict=True)]
        )
        whole = _complete(predictor.predict(predictor.table(columns), probabilities), count(batch))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises goes to the caller of these rows
        if len(batch) == 1:
            return [_carried(error)]
        half = len(batch) // 2
        return answer(key, batch[:half]) + answer(key, batch[half:])
    return list(_split(whole, batch))


def _complete(whole: Answer, rows: int) -> Answer:
    """Return the answer. Raise RuntimeError unless each row has a prediction and any requested probabilities."""
    counts = {len(whole.predictions), rows if whole.probabilities is None else len(whole.probabilities)}
    if counts != {rows}:
        raise RuntimeError(f"The model answered {counts} rows for {rows}")
    return whole


def _carried(error: Exception | SystemExit) -> Exception:
    """Return an exception that a future can carry: StopIteration would end a coroutine, SystemExit the worker."""
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
