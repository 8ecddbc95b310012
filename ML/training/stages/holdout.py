"""Which rows are held out to score a version: those whose values hash below the share."""

from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FEWEST = 30


def mask(X: pd.DataFrame, y: NDArray[Any], share: float, classify: bool) -> NDArray[np.bool_]:
    """True for held-out rows, shape (rows,).

    The hash is over the features' names and values in the order of the names, so that a row is on the same side in
    every upload, and all its duplicates with it. A class that would have no training row keeps all of its rows.
    """
    return keep_every_class(in_share(X, share), y, classify)


def in_share(X: pd.DataFrame, share: float) -> NDArray[np.bool_]:
    """True for rows whose hash is in the share. Those of a smaller share are among those of a larger one."""
    names = sorted(X.columns)
    rows = zip(*(X[name].tolist() for name in names), strict=True)
    limit = int(share * 2**64)
    return np.fromiter((_hash(names, row) < limit for row in rows), dtype=bool, count=len(X))


def keep_every_class(chosen: NDArray[np.bool_], y: NDArray[Any], classify: bool) -> NDArray[np.bool_]:
    """The chosen rows that training can do without: not a whole class, and not all rows."""
    held = chosen.copy()
    if classify:
        _, place = np.unique(y, return_inverse=True)
        taught = np.bincount(place[~held], minlength=place.max() + 1) > 0
        held &= taught[place]
    return held & ~held.all()


def note(rows: int) -> str | None:
    """A warning where the held-out rows are too few for their score to mean something."""
    if rows == 0:
        return "no row was held out, so there is no score: the table is too small or its rows are too much alike"
    return f"only {rows} rows were held out: the scores are rough" if rows < FEWEST else None


def _hash(names: list[str], row: tuple[Any, ...]) -> int:
    return int.from_bytes(blake2b(repr((names, row)).encode(), digest_size=8).digest())
