"""A compiled model in ONNX Runtime. The library is imported late: its threads do not survive a fork."""

from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ML.prediction import arrays
from ML.schema.schema import Schema
from ML.versions import model_file

LIBRARY = "onnxruntime"
FATAL = 4
MOST_ROWS = 1000
"""How many rows one run takes. It bounds the memory of intermediate results, such as rows by support vectors."""

Feed = dict[str, NDArray[Any]]


class Unusable(Exception):
    """A compiled file can't be used here, with the reason. The original is served instead."""


class Compiled:
    """A compiled model. `classes` lists the labels in the order of its probabilities, None for a regression."""

    def __init__(self, data: bytes, schema: Schema, classes: Sequence[Any] | None) -> None:
        self._session = _session(data)
        self._classes = classes
        texts = [column.kind == "text" for column in schema.columns]
        read = {node.name for node in self._session.get_inputs()}
        self._numbers = [place for place, text in enumerate(texts) if not text] if "numbers" in read else []
        self._texts = [place for place, text in enumerate(texts) if text] if "text" in read else []
        self._plain = self._numbers == list(range(len(texts)))
        messages = self._session.get_modelmeta().custom_metadata_map
        outputs = [output.name for output in self._session.get_outputs()]
        self._guards = [messages[name] for name in outputs if name in messages]
        guards = [name for name in outputs if name in messages]
        self._label = [outputs[0], *guards]
        self._both = [*outputs[:2], *guards]

    def table(self, columns: Sequence[Sequence[Any]]) -> Feed:
        """Return converted values (a sequence per column) as the inputs of the graph."""
        feed: Feed = {}
        if self._plain:
            feed["numbers"] = arrays.array(columns)
        elif self._numbers:
            feed["numbers"] = arrays.array([columns[place] for place in self._numbers])
        if self._texts:
            # A missing text is NaN or None.
            words = [[word if isinstance(word, str) else "" for word in columns[place]] for place in self._texts]
            feed["text"] = np.array(words, dtype=object).T
        return feed

    def answer(self, feed: Feed, probabilities: bool) -> tuple[list[Any], list[list[float]] | None]:
        """Return labels or values, and requested probabilities. Raise ValueError for rows that the original refuses."""
        rows = max(map(len, feed.values()))
        if rows <= MOST_ROWS:
            return self._answer(feed, probabilities)
        labels: list[Any] = []
        shares: list[list[float]] = []
        for first in range(0, rows, MOST_ROWS):
            part = {name: values[first : first + MOST_ROWS] for name, values in feed.items()}
            part_labels, part_shares = self._answer(part, probabilities)
            labels += part_labels
            shares += part_shares or ()
        return labels, shares if probabilities else None

    def _answer(self, feed: Feed, probabilities: bool) -> tuple[list[Any], list[list[float]] | None]:
        answer, *others = self._session.run(self._both if probabilities else self._label, feed)
        if self._guards:
            for message, doubt in zip(self._guards, others[-len(self._guards) :], strict=True):
                if doubt != 0:
                    raise ValueError(message)
        classes = self._classes
        if classes is None:
            return answer.ravel().tolist(), None
        return [classes[place] for place in answer.tolist()], others[0].tolist() if probabilities else None


def load(path: Path, sha256: str, version: str, schema: Schema, classes: Sequence[Any] | None) -> Compiled:
    """Return the compiled model in a file. Raise Unusable, and Untrusted if the file is not the published one."""
    if not version or version != installed():
        raise Unusable(f"it was compiled for {LIBRARY} {version}, but {installed() or 'no version'} is installed")
    if not path.exists():
        raise Unusable(f"{path} is missing")
    data = model_file.read(path, sha256)
    try:
        return Compiled(data, schema, classes)
    except Exception as error:
        raise Unusable(f"{LIBRARY} can't run {path}: {error}") from error


@cache
def installed() -> str:
    """Return the version of ONNX Runtime, empty if it is not installed."""
    try:
        return metadata.version(LIBRARY)
    except metadata.PackageNotFoundError:
        return ""


def _session(data: bytes) -> Any:
    import onnxruntime  # late, because it starts threads

    onnxruntime.set_default_logger_severity(FATAL)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # With more threads sums would change their order, and threads would wait for each other.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
