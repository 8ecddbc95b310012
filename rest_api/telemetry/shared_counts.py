"""The counts of all workers since the server's start. Each worker writes its own to a file, and reads all for /metrics.

The workers are numbered. A new worker takes the number of one that ended and goes on counting in its file, so that
files don't pile up and no count is lost.
"""

from pathlib import Path
from typing import NamedTuple

from pydantic_core import from_json, to_json

from ML.config import environment
from rest_api.telemetry.totals import Totals

COUNTS, QUEUE = "counts_{}.json", "queue_{}.json"
"""Files of a worker: what stays when it ends, and what does not."""


class QueueState(NamedTuple):
    """The prediction requests that wait."""

    rows: int = 0
    oldest_seconds: float = 0.0
    """How long the oldest one has been waiting."""


class SharedCounts:
    """The counts of this worker and, through the folder, of the others. Without a folder there are no others."""

    def __init__(self, folder: Path | None, number: int) -> None:
        self._folder, self._number = folder, number
        self._own, self._queue = Totals(), QueueState()
        if folder and (file := folder / COUNTS.format(number)).exists():
            self._own = Totals.from_json(file.read_bytes())
        self._documents = self._own.to_json(), to_json(self._queue)
        self._save(COUNTS, self._documents[0])
        self._save(QUEUE, self._documents[1])

    def add(self, counted: Totals, queue: QueueState) -> None:
        """Add what this worker has counted, and let the other workers see it."""
        self._own.merge(counted)
        self._documents = self._own.to_json(), to_json(queue)
        self._save(COUNTS, self._documents[0])
        if queue != self._queue:
            self._queue = queue
            self._save(QUEUE, self._documents[1])

    def read(self) -> tuple[Totals, QueueState]:
        """Return the sum over all workers."""
        totals, queues = Totals(), [QueueState()]
        for document in self._read(COUNTS, self._documents[0]):
            totals.merge(Totals.from_json(document))
        queues += [QueueState(*from_json(document)) for document in self._read(QUEUE, self._documents[1])]
        return totals, QueueState(sum(each.rows for each in queues), max(each.oldest_seconds for each in queues))

    def _save(self, name: str, document: bytes) -> None:
        """Write the file in one step: a reader sees the old document or the new one."""
        if self._folder:
            file = self._folder / name.format(self._number)
            draft = file.with_suffix(".draft")
            draft.write_bytes(document)
            draft.replace(file)

    def _read(self, name: str, own: bytes) -> list[bytes]:
        if not self._folder:
            return [own]
        documents = []
        for file in self._folder.glob(name.format("*")):
            try:
                documents.append(file.read_bytes())
            except FileNotFoundError:  # its worker has ended since
                continue
        return documents


def clear(folder: Path) -> None:
    """Count from zero: remove the files of an earlier server."""
    for file in (*folder.glob(COUNTS.format("*")), *folder.glob(QUEUE.format("*"))):
        file.unlink()


def forget_queue(folder: Path, number: int) -> None:
    """Remove the queue of a worker that has ended. What it counted stays."""
    (folder / QUEUE.format(number)).unlink(missing_ok=True)


def folder() -> Path | None:
    """Return the folder that the server made for its workers' files. There is none under `uvicorn wsgi:app`."""
    path = environment.handed_on("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None
