"""Columns that grow piece by piece and take little memory: numbers as float64, texts joined."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, overload

import numpy as np


class Texts(Sequence[Any]):
    """Text cells, stored compactly: a list of a million strings takes 60 MB and more."""

    def __init__(self, missing: Any) -> None:
        """Take the value that reading returns for an empty text, None or NaN."""
        self._missing = missing
        self._pieces: list[tuple[bytes, array[int]]] = []
        """The texts of each piece, joined, with the offset of each and the end of the last."""
        self._firsts = [0]
        """The index of each piece's first text, and of the next piece's."""

    def extend(self, values: Sequence[Any]) -> None:
        """Add cells: strings, None or NaN."""
        texts = [value if isinstance(value, str) else "" for value in values]
        ends = array("I", accumulate(map(len, texts), initial=0))
        self._pieces.append(("".join(texts).encode("utf-8", "surrogatepass"), ends))
        self._firsts.append(self._firsts[-1] + len(texts))

    def __len__(self) -> int:
        """Return the number of cells."""
        return self._firsts[-1]

    def __iter__(self) -> Iterator[Any]:
        """Yield the cells in order."""
        return chain.from_iterable(map(self._cells, range(len(self._pieces))))

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...

    def __getitem__(self, place: int | slice) -> Any:
        """Return a cell, or a list of cells for a slice."""
        if isinstance(place, int):
            place = range(len(self))[place]
            return self[place : place + 1][0]
        start, stop, step = place.indices(len(self))
        if step != 1:
            return list(self)[place]
        if stop <= start:
            return []
        first, last = bisect_right(self._firsts, start) - 1, bisect_right(self._firsts, stop - 1)
        found = list(chain.from_iterable(map(self._cells, range(first, last))))
        return found[start - self._firsts[first] : stop - self._firsts[first]]

    def _cells(self, piece: int) -> list[Any]:
        data, ends = self._pieces[piece]
        text, missing = data.decode("utf-8", "surrogatepass"), self._missing
        return [text[start:end] or missing for start, end in pairwise(ends)]


class Columns:
    """Converted columns of the given kinds. A single piece, which most requests are, is kept as it is."""

    def __init__(self, kinds: Sequence[str], missing: Any = np.nan) -> None:
        """Take the kind of each column, and the value that stands for an empty text."""
        self.rows = 0
        self.parts: list[Sequence[Any]] = []
        """The values of each column."""
        self._kinds, self._missing = kinds, missing
        self._grown: list[Texts | array[float]] = []

    def add(self, parts: Sequence[Sequence[Any]]) -> None:
        """Add rows, given as a sequence for each column."""
        if not self.rows:
            self.parts = list(parts)
        else:
            if not self._grown:
                self._grown = [Texts(self._missing) if kind == "text" else array("d") for kind in self._kinds]
                self._append(self.parts)
                self.parts = list(self._grown)
            self._append(parts)
        self.rows += len(parts[0])

    def _append(self, parts: Sequence[Sequence[Any]]) -> None:
        for column, part in zip(self._grown, parts, strict=True):
            if isinstance(column, Texts):
                column.extend(part)
            else:
                # numpy converts None to NaN.
                column.frombytes(np.array(part, dtype=float).tobytes())
