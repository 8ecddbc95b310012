"""The rows of one request, which may be predicted in several pieces."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ML.prediction.answers import Answer
from ML.prediction.predictor import Predictor

Key = tuple[Predictor, bool]
"""What requests must have in common to share a call: the predictor, and whether they want probabilities."""
Columns = Sequence[Sequence[Any]]
"""Converted rows: a sequence of values for each column."""
Batch = list[tuple["Job", int, int]]
"""Pieces of jobs: the job, the piece's first row and the row after its last."""


@dataclass(slots=True, eq=False)
class Job:
    """The rows of one request, and the answers to the pieces that are predicted already."""

    columns: Columns
    rows: int
    future: "asyncio.Future[Answer]"
    begun: int = 0
    """How many rows were taken into batches."""
    answered: int = 0
    """How many rows have an answer."""
    pieces: dict[int, Answer] = field(default_factory=dict)
    """Answers by the first row of their piece. Pieces on the event loop can overtake earlier ones in the thread."""
    since: float = field(default_factory=time.perf_counter)
    """When the request arrived, in seconds of `time.perf_counter`."""

    def add(self, start: int, answer: Answer) -> None:
        """Add the answer to the piece that begins at this row. Complete the future once every row has an answer."""
        self.pieces[start] = answer
        self.answered += len(answer.predictions)
        if self.answered == self.rows:
            self.future.set_result(joined([self.pieces[first] for first in sorted(self.pieces)]))


def joined(answers: list[Answer]) -> Answer:
    """Return one answer from the answers to the pieces of a job, in order."""
    if len(answers) == 1:
        return answers[0]
    shares = None if answers[0].probabilities is None else [row for a in answers for row in a.probabilities or ()]
    return Answer([label for answer in answers for label in answer.predictions], shares)
