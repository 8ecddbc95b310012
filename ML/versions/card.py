"""The card of a version: what is known of it, kept beside the model and shown to whoever asks."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from ML.schema.schema import Schema
from ML.schema.target import Target

Origin = Literal["sample", "upload", "command"]


class Compiled(BaseModel):
    """What came of compiling a version: whether it is served compiled, and why not."""

    used: bool = False
    why: str = ""
    """Why the original serves; empty where the compiled form does."""
    file: str = ""
    sha256: str = ""
    runtime: str = ""
    """The version of ONNX Runtime that it was proven with."""
    rows: int = 0
    """On so many rows both gave the same labels."""
    difference: float = 0.0
    """The largest of a probability or value on them, relative."""
    seconds: dict[str, dict[str, float]] = {}
    """What so many rows take, by rows: `original` and `compiled`."""


class Comparison(BaseModel):
    """How a new version and the one that was live scored on the same rows, which neither was fitted to."""

    score: str
    """The primary score: the first of the estimator's `score`."""
    new: float
    live: float
    live_version: int
    rows: int
    worse: bool
    """Whether the new one is worse by more than GATE_TOLERANCE, and by more than chance explains."""


class Card(BaseModel):
    """What is known of a version. A training job is a version in state `training`."""

    model: str
    version: int
    state: Literal["training", "ready", "failed"] = "training"
    stage: str = "waiting"
    origin: Origin
    target_variable: str
    created: datetime
    replaces: int | None = None
    """The version that was live when training began; if another is live at its end, somebody chose that one by hand."""
    ended: datetime | None = None
    forced: bool = False
    """Whether it goes live however it compares with the version that is live."""
    held_back: bool = False
    """Whether it is ready and yet was not made live; the last of the notes says why."""
    gate: Comparison | None = None
    holdout: float | None = None
    """The share of the rows that was to be held out."""
    kept: list[Any] = []
    """Classes with held-out rows that were fitted to all the same, as no other row of them was there."""
    seconds: dict[str, float] = {}
    rows: dict[str, int] = {}
    metrics: dict[str, float | None] = {}
    train_metrics: dict[str, float | None] = {}
    notes: list[str] = []
    features: Schema | None = None
    target: Target | None = None
    probabilities: bool = False
    batched: bool = True
    """Whether a row is answered the same alone and among others, so that callers may share a call."""
    nameless: bool = False
    """Whether it answers a plain array as it answers a table with names, and is served with arrays."""
    compiled: Compiled | None = None
    checks: list[Any] = []
    file: str = ""
    sha256: str = ""
    fingerprint: str = ""
    source: str = ""
    """SHA-256 of ML/src as it was."""
    libraries: dict[str, str] = {}
    error: Any = None
    error_status: int | None = None
    """HTTP status that goes with the error of a failed training."""
