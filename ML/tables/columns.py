"""The values of columns that grow piece by piece: numbers as float64, texts joined, so that they take little memory."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, overload

import numpy as np


class Texts(Sequence[Any]):
    """Text cells. A list of a million would take 60 MB, and more for each character."""

    def __init__(self, missing: Any) -> None:
        """`missing` is given back in place of an empty text, None and NaN."""
        self._missing = missing
        self._pieces: list[tuple[bytes, array[int]]] = []
        """The texts of each piece, joined, and where each begins and the last ends."""
        self._firsts = [0]
        """The place of each piece's first text, and of the next one's."""

    def extend(self, values: Sequence[Any]) -> None:
        """Add cells: strings, None or NaN."""
        texts = [value if isinstance(value, str) else "" for value in values]
        ends = array("I", accumulate(map(len, texts), initial=0))
        self._pieces.append(("".join(texts).encode("utf-8", "surrogatepass"), ends))
        self._firsts.append(self._firsts[-1] + len(texts))

    def __len__(self) -> int:
        """How many cells there are."""
        return self._firsts[-1]

    def __iter__(self) -> Iterator[Any]:
        """The cells, in order."""
        return chain.from_iterable(map(self._cells, range(len(self._pieces))))

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...

    def __getitem__(self, place: int | slice) -> Any:
        """A cell, or a list of cells."""
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
    """Converted columns of these kinds. A single piece, which most requests are, is kept as it is."""

    def __init__(self, kinds: Sequence[str], missing: Any = np.nan) -> None:
        """`missing` stands for a text that is empty."""
        self.rows = 0
        self.parts: list[Sequence[Any]] = []
        """The values of each column."""
        self._kinds, self._missing = kinds, missing
        self._grown: list[Texts | array[float]] = []

    def add(self, parts: Sequence[Sequence[Any]]) -> None:
        """Add rows, a sequence for each column."""
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
                # numpy takes None for NaN.
                column.frombytes(np.array(part, dtype=float).tobytes())
