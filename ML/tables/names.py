"""Column names in messages: lists and suggestions, bounded in length and time."""

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

LONGEST = 1000
"""How many characters a column's name may have."""
MOST = 10_000
"""How many columns a table and how many keys a JSON row may have."""
_SHOWN, _LISTED = 60, 50
_COMPARED = 60
"""Longer names are not compared."""
_EFFORT, _LOOK = 120_000, 12
"""The effort for all suggestions of an answer (10 ms), and that of reading one name, in pairs of characters."""


def short(name: str) -> str:
    """Return the name as a message shows it: at most 60 characters."""
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "..."


def listed(names: Sequence[str]) -> str:
    """Return the first 50 names, separated by commas, and how many more there are."""
    more = len(names) - _LISTED
    return ", ".join(map(short, names[:_LISTED])) + (f" and {more:,} more" if more > 0 else "")


class Spelling:
    """Suggests names for misspelt ones. One object serves one answer: after 10 ms it has no more suggestions."""

    def __init__(self) -> None:
        self._left = _EFFORT

    def similar(self, name: str, candidates: Iterable[str]) -> list[str]:
        """Return at most three candidates that `name` may mean, the most similar first; letter case is ignored."""
        if not 0 < len(name) <= _COMPARED:
            return []
        folded: dict[str, str] = {}
        for candidate in self._likely(name, candidates):
            self._left -= (len(name) + 10) * (len(candidate) + 10)
            if self._left < 0:
                break
            folded.setdefault(candidate.casefold(), candidate)
        return [folded[close] for close in get_close_matches(name.casefold(), folded, 3)]

    def _likely(self, name: str, candidates: Iterable[str]) -> list[str]:
        """Return those of about the same length, first the ones that begin or end with the same letter."""
        first, last, size = name[0].casefold(), name[-1].casefold(), len(name)
        seen = list(islice(candidates, max(self._left // (2 * _LOOK), 0)))
        self._left -= _LOOK * len(seen)
        # difflib rejects all others: it wants at least three of seven letters to be shared.
        near = [c for c in seen if len(c) <= _COMPARED and 3 * len(c) <= 7 * size and 3 * size <= 7 * len(c)]
        return sorted(near, key=lambda c: c[0].casefold() != first and c[-1].casefold() != last)

    def missing(self, name: str, candidates: Iterable[str]) -> str:
        """Return what to tell a caller whose rows lack a column."""
        close = self.similar(name, candidates)
        hint = f"; is it spelt {' or '.join(map(short, close))} here?" if close else ""
        return f"the column {short(name)} is missing" + hint


def header_hint(header: Sequence[str]) -> str:
    """Return what to add to a message about column names: a question if most are numbers, else nothing."""
    if 2 * sum(map(is_number, header)) <= len(header):
        return ""
    return f"; is the header missing? The first line is {','.join(header)[:60]} and must name the columns"


def is_number(cell: str) -> bool:
    """Return whether a cell is a finite decimal number."""
    try:
        return math.isfinite(float(cell)) and "_" not in cell and cell.isascii()
    except ValueError:
        return False
