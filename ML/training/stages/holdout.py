"""Holds out the rows that score a version: those whose values hash below the share."""

from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ML.config.config import settings
from ML.training.stages.job import Job

FEWEST = 30
"""With fewer held-out rows, the card warns that the scores are rough."""


def hold_out(job: Job) -> Job:
    """Choose the held-out rows by the HOLDOUT setting, and put their number on the card."""
    share, classify = settings().holdout, job.target.task == "classification"
    chosen = in_share(job.X, share)
    held_out = keep_every_class(chosen, job.y, classify)
    kept = sorted(set(job.y[chosen & ~held_out].tolist())) if classify else []
    rows = {"train": int((~held_out).sum()), "holdout": int(held_out.sum())}
    notes = filter(None, [note(rows["holdout"])])
    return replace(job, held_out=held_out).on_card(*notes, holdout=share, kept=kept, rows=rows)


def mask(X: pd.DataFrame, y: NDArray[Any], share: float, classify: bool) -> NDArray[np.bool_]:
    """Return True for held-out rows, shape (rows,).

    The hash covers the features' names and values in the order of the names, so a row and its duplicates are on the
    same side in every upload. A class that would have no training row keeps all of its rows.
    """
    return keep_every_class(in_share(X, share), y, classify)


def in_share(X: pd.DataFrame, share: float) -> NDArray[np.bool_]:
    """Return True for rows whose hash is in the share. Rows of a smaller share are among those of a larger one."""
    names = sorted(X.columns)
    rows = zip(*(X[name].tolist() for name in names), strict=True)
    limit = int(share * 2**64)
    return np.fromiter((_hash(names, row) < limit for row in rows), dtype=bool, count=len(X))


def keep_every_class(chosen: NDArray[np.bool_], y: NDArray[Any], classify: bool) -> NDArray[np.bool_]:
    """Return the chosen rows that training can spare: never all rows, and never all rows of a class."""
    held_out = chosen.copy()
    if classify:
        _, place = np.unique(y, return_inverse=True)
        has_training_row = np.bincount(place[~held_out], minlength=place.max() + 1) > 0
        held_out &= has_training_row[place]
    return held_out & ~held_out.all()


def note(rows: int) -> str | None:
    """Return a warning if so few rows are held out that their score means little."""
    if rows == 0:
        return "no row was held out, so there is no score: the table is too small or its rows are too much alike"
    return f"only {rows} rows were held out: the scores are rough" if rows < FEWEST else None


def _hash(names: list[str], row: tuple[Any, ...]) -> int:
    return int.from_bytes(blake2b(repr((names, row)).encode(), digest_size=8).digest())
