"""The jobs that wait for one model in this worker, and how many calls of the model they will take."""

from collections import deque

from rest_api.serving.call_time import CallTime
from rest_api.serving.job import Batch, Job


class JobQueue:
    """A queue of jobs. A batch has up to `most` rows; if `most` is None, a batch is one whole job."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.jobs: deque[Job] = deque()
        self.rows = 0
        """Rows that wait."""
        self.ahead = 0
        """Rows that will be predicted before those of a new job. Of a large job, only the next piece counts."""

    def put(self, job: Job) -> None:
        """Append a job."""
        self.jobs.append(job)
        self._count(job, 1)

    def take(self) -> Batch:
        """Remove and return the next batch, without jobs whose caller has disconnected.

        The rest of a large job goes to the end of the queue, so that small jobs can overtake it.
        """
        batch: Batch = []
        room = self.most or 0
        while self.jobs and (room > 0 or not (self.most or batch)):
            job = self.jobs.popleft()
            self._count(job, -1)
            if job.future.done():
                continue
            start, job.begun = job.begun, min(job.rows, job.begun + room) if self.most else job.rows
            batch.append((job, start, job.begun))
            room -= job.begun - start
            if job.begun < job.rows:
                self.put(job)
        return batch

    @property
    def full(self) -> bool:
        """Whether the next batch has its maximum size, so that waiting for more jobs is useless."""
        return self.rows >= self.most if self.most else bool(self.jobs)

    @property
    def ready(self) -> bool:
        """Whether the next batch may be handed over before the running call ends.

        It must be full, and must not be a piece of a large job, which smaller jobs may still overtake.
        """
        return self.full and (not self.most or self.jobs[0].rows - self.jobs[0].begun <= self.most)

    @property
    def next_rows(self) -> int:
        """Maximum number of rows of the next batch."""
        return min(self.rows, self.most) if self.most else self.jobs[0].rows

    @property
    def calls(self) -> int:
        """Number of calls until one more row would have its answer, including its own call."""
        return self.ahead // self.most + 1 if self.most else len(self.jobs) + 1

    def seconds(self, call_time: CallTime, most_calls: int | None = None) -> float:
        """Return how long the calls of this queue take, in seconds: `most_calls` of them at most.

        Without `most_calls`, return the time until one more row would have its answer.
        """
        size = self.most or 1 + self.ahead // (1 + len(self.jobs))
        if most_calls is not None and most_calls < self.calls:
            return most_calls * call_time.of(size)
        return (self.calls - 1) * call_time.of(size) + call_time.of(self.ahead % size + (most_calls is None))

    def _count(self, job: Job, sign: int) -> None:
        rows = job.rows - job.begun
        self.rows += sign * rows
        self.ahead += sign * min(rows, self.most or rows)
