"""A CSV file as text cells, in which every row is as long as the header."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ML.errors import Invalid, TooLarge
from ML.tables.columns import Texts
from ML.tables.upload import BLOCK, Lines, Upload, wrong

CHUNK_ROWS = 1000
CHUNK_CELLS = 100_000
"""Largest number of rows and of cells in a chunk."""

csv.field_size_limit(2**31 - 1)  # Lines limits the length of a row


@dataclass(frozen=True)
class Table:
    """Rows of text under a header. Every iteration reads the uploaded bytes anew.

    Row numbers start at 1, after the header. Columns without a name (a spreadsheet's index) are left out.
    """

    header: list[str]
    unnamed: list[str]
    _upload: Upload
    _separator: str
    _places: list[int]
    _width: int
    _headed: bool
    """Whether the first row of the file is the header."""

    def chunks(self) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
        """Yield chunks of at most 1,000 rows: the number of the first row, and the cells of each column.

        Other threads run between two chunks. Raise Invalid, which names every ragged row.
        """
        first, count = 1, 0
        ragged: list[tuple[int, int]] = []
        for chunk in self._rows():
            odd = [(first + i, len(row)) for i, row in enumerate(chunk) if len(row) != self._width]
            # The caller sees the first hundred; there may be millions.
            count, ragged = count + len(odd), (ragged + odd)[: Invalid.most]
            if not ragged:
                columns = list(zip(*chunk, strict=True))
                yield first, [columns[place] for place in self._places]
            first += len(chunk)
        if ragged:
            raise self._ragged(ragged, count)
        if first == 1:
            raise wrong("the file has a header but no rows")

    def columns(self, most: int) -> list[list[str]]:
        """Return all cells, a list per column. Raise TooLarge if there are more than `most` rows."""
        columns: list[list[str]] = [[] for _ in self.header]
        for first, chunk in self.chunks():
            check_rows(first + len(chunk[0]) - 1, most)
            for column, more in zip(columns, chunk, strict=True):
                column += more
        return columns

    def column(self, name: str, most: int) -> Sequence[str]:
        """Return the cells of one column, stored compactly. Raise TooLarge if there are more than `most` rows."""
        place, texts = self.header.index(name), Texts("")
        for first, chunk in self.chunks():
            check_rows(first + len(chunk[0]) - 1, most)
            texts.extend(chunk[place])
        return texts

    def _rows(self) -> Iterator[list[list[str]]]:
        """Yield rows in lists that stay small, however long the rows are. Raise Invalid."""
        most = max(1, min(CHUNK_ROWS, CHUNK_CELLS // self._width))
        lines = Lines(self._upload)
        reader = csv_reader(lines, self._separator)
        chunk: list[list[str]] = []
        try:
            for row in islice(reader, int(self._headed), None):
                # For an empty line, which many files end with, csv returns [].
                if row:
                    chunk.append(row)
                if len(chunk) == most or lines.pending > BLOCK:
                    lines.pending = 0
                    if chunk:
                        yield chunk
                        chunk = []
        except csv.Error as error:
            message = f"line {reader.line_num}: {error}; check the quotes there"
            raise wrong(message) from None
        if chunk:
            yield chunk

    def _ragged(self, rows: list[tuple[int, int]], count: int) -> Invalid:
        return Invalid(
            [
                {
                    "loc": [row],
                    "type": "ragged_row",
                    "input": None,
                    "msg": f"row {row} has {cells} cells where the header has {self._width}",
                }
                for row, cells in rows
            ],
            count,
        )


def check_rows(rows: int, most: int) -> None:
    """Raise TooLarge if there are more rows than a request may have."""
    if rows > most:
        raise TooLarge(f"More than {most} rows in one request; send them in parts, or raise MAX_ROWS")


def csv_reader(lines: Iterable[str], separator: str) -> Any:
    """Return a reader of the csv module that raises csv.Error for quotes in the wrong place."""
    return csv.reader(lines, delimiter=separator, strict=True)
