"""The card of a version: all that is known about it, stored beside the model and returned by the API."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from ML.schema.schema import Schema
from ML.schema.target import Target

Origin = Literal["sample", "upload", "command"]


class Compiled(BaseModel):
    """The result of compiling a version: whether the compiled form serves it, and why not."""

    used: bool = False
    why: str = ""
    """Why scikit-learn serves it; empty if the compiled form does."""
    file: str = ""
    sha256: str = ""
    runtime: str = ""
    """The version of ONNX Runtime that it was checked with."""
    rows: int = 0
    """How many rows both forms were compared on; their labels are the same."""
    difference: float = 0.0
    """The largest relative difference of a probability or value on these rows."""
    seconds: dict[str, dict[str, float]] = {}
    """Seconds by number of rows, for `original` and `compiled`."""


class Comparison(BaseModel):
    """The scores of a new version and the live one on the same rows, to which neither was fitted."""

    score: str
    """The primary score: the first that the estimator's `score` returns."""
    new: float
    live: float
    live_version: int
    rows: int
    worse: bool
    """Whether the new version is worse by more than GATE_TOLERANCE, and by more than chance explains."""


class Card(BaseModel):
    """All that is known about a version. A training job is a version in state `training`."""

    model: str
    version: int
    state: Literal["training", "ready", "failed"] = "training"
    stage: str = "waiting"
    origin: Origin
    target_variable: str
    created: datetime
    replaces: int | None = None
    """The version that was live when training began. If another is live at the end, it was promoted by hand."""
    ended: datetime | None = None
    forced: bool = False
    """Whether it goes live even if it scores worse than the live version."""
    held_back: bool = False
    """Whether it is ready but did not go live; the last note says why."""
    gate: Comparison | None = None
    holdout: float | None = None
    """The HOLDOUT setting at its training: the share of rows to hold out."""
    kept: list[Any] = []
    """Rare classes whose rows all hash below the share: they were fitted to, because a class needs a training row."""
    seconds: dict[str, float] = {}
    rows: dict[str, int] = {}
    metrics: dict[str, float | None] = {}
    train_metrics: dict[str, float | None] = {}
    notes: list[str] = []
    features: Schema | None = None
    target: Target | None = None
    probabilities: bool = False
    batched: bool = True
    """Whether a row's answer is the same alone and among others, so requests may share a call."""
    nameless: bool = False
    """Whether it predicts the same from an array as from a table with column names, and is served with arrays."""
    compiled: Compiled | None = None
    checks: list[Any] = []
    file: str = ""
    sha256: str = ""
    fingerprint: str = ""
    source: str = ""
    """SHA-256 of ML/src when it was trained."""
    libraries: dict[str, str] = {}
    error: Any = None
    error_status: int | None = None
    """HTTP status of the error of a failed training."""
