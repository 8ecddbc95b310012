"""A CSV file as text cells: its separator found, every row as long as the header."""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ML.errors import Invalid, TooLarge
from ML.tables import names, upload
from ML.tables.columns import Texts
from ML.tables.names import listed, short
from ML.tables.upload import BLOCK, Lines, Upload, wrong
from ML.tables.upload import GZIP as GZIP

SEPARATORS = ",;\t|"
CHUNK = 1000
CELLS = 100_000
"""Most rows and most cells of a chunk."""
_HEAD = 100_000
"""Bytes in which the separator is looked for."""

csv.field_size_limit(2**31 - 1)  # a row's length is limited already


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, from an upload that is read once.

    Rows count from 1, the header not counted. Columns without a name (a spreadsheet's index) are left out.
    """

    header: list[str]
    unnamed: list[str]
    _upload: Upload
    _separator: str
    _places: list[int]
    _width: int
    _headed: bool
    """Whether the file's first row is the header."""

    def chunks(self) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
        """Columns of at most 1,000 rows at a time, each time with the number of their first row.

        Between two chunks other threads run. Raises Invalid, which names every ragged row.
        """
        first, count = 1, 0
        ragged: list[tuple[int, int]] = []
        for chunk in self._rows():
            odd = [(first + i, len(row)) for i, row in enumerate(chunk) if len(row) != self._width]
            # The caller reads the first hundred; there may be millions.
            count, ragged = count + len(odd), (ragged + odd)[: Invalid.most]
            if not ragged:
                columns = list(zip(*chunk, strict=True))
                yield first, [columns[place] for place in self._places]
            first += len(chunk)
        if ragged:
            raise self._ragged(ragged, count)
        if first == 1:
            raise wrong(self._upload.field, "the file has a header but no rows")

    def columns(self, most: int) -> list[list[str]]:
        """All cells, a list for each column of the header. Raises TooLarge past so many rows."""
        found: list[list[str]] = [[] for _ in self.header]
        for first, chunk in self.chunks():
            check_rows(first + len(chunk[0]) - 1, most)
            for column, more in zip(found, chunk, strict=True):
                column += more
        return found

    def column(self, name: str, most: int) -> Sequence[str]:
        """The cells of one column, in little memory. Raises TooLarge past so many rows."""
        place, found = self.header.index(name), Texts("")
        for first, chunk in self.chunks():
            check_rows(first + len(chunk[0]) - 1, most)
            found.extend(chunk[place])
        return found

    def _rows(self) -> Iterator[list[list[str]]]:
        """Rows, so many at once that they take little memory however long they are. Raises Invalid."""
        most = max(1, min(CHUNK, CELLS // self._width))
        lines = Lines(self._upload)
        reader = _reader(lines, self._separator)
        chunk: list[list[str]] = []
        try:
            for row in islice(reader, int(self._headed), None):
                # csv gives [] for an empty line, which ends many files.
                if row:
                    chunk.append(row)
                if len(chunk) == most or lines.pending > BLOCK:
                    lines.pending = 0
                    if chunk:
                        yield chunk
                        chunk = []
        except csv.Error as error:
            message = f"line {reader.line_num}: {error}; check the quotes there"
            raise wrong(self._upload.field, message) from None
        if chunk:
            yield chunk

    def _ragged(self, rows: list[tuple[int, int]], count: int) -> Invalid:
        return Invalid(
            [
                {
                    "loc": ["body", self._upload.field, row],
                    "type": "ragged_row",
                    "input": None,
                    "msg": f"row {row} has {cells} cells where the header has {self._width}",
                }
                for row, cells in rows
            ],
            count,
        )


def read(data: bytes, most_bytes: int, field: str = "csv_file") -> Table:
    """A table from an uploaded file: UTF-8 with or without a BOM, plain or gzip'd, separated by `,` `;` `|` or tabs.

    Raises Invalid where it is no such file, and TooLarge where it holds more than `most_bytes` after gunzip.
    """
    return of_upload(upload.read(data, most_bytes, field))


def of_upload(found: Upload, separator: str = "") -> Table:
    """A table of text that begins with its header. Raises Invalid."""
    separator = separator or _separator(found)
    return _table(found, separator, first_row(found, separator), True)


def under(header: Sequence[str], found: Upload, separator: str) -> Table:
    """A table of text that has no header but this. Raises Invalid."""
    return _table(found, separator, header, False)


def _table(found: Upload, separator: str, first: Sequence[str], headed: bool) -> Table:
    header = [name.strip() for name in first]
    _check_header(header, found.field)
    places = [place for place, name in enumerate(header) if name]
    unnamed = [f"column {place + 1}, which has no name" for place, name in enumerate(header) if not name]
    named = [header[place] for place in places]
    return Table(named, unnamed, found, separator, places, len(header), headed)


def first_row(found: Upload, separator: str) -> list[str]:
    """The cells of the first line. Raises Invalid."""
    return first_rows(found, separator, 1)[0]


def first_rows(found: Upload, separator: str, most: int) -> list[list[str]]:
    """Those of so many lines, if there are. Raises Invalid."""
    line = found.head(upload.LONGEST_ROW)
    if line.count(separator.encode()) > names.MOST and b"\n" not in line and b"\r" not in line:
        raise wrong(
            found.field,
            f"the first line has more than {names.MOST:,} cells; a table has at most {names.MOST:,} columns",
        )
    try:
        rows = list(islice(_reader(Lines(found), separator), most))
    except csv.Error as error:
        raise wrong(found.field, f"the header can't be read: {error}; check the quotes there") from None
    if len(rows[0]) > names.MOST:
        message = f"the first line has {len(rows[0]):,} cells; a table has at most {names.MOST:,} columns"
        raise wrong(found.field, message)
    return rows


def hint(header: Sequence[str]) -> str:
    """What to add where names are missing: a question, if most names are numbers, as only a row's or years are."""
    if 2 * sum(map(is_number, header)) <= len(header):
        return ""
    return f"; is the header missing? The first line is {','.join(header)[:60]} and must name the columns"


def is_number(cell: str) -> bool:
    """Whether a cell is a finite decimal number."""
    try:
        return math.isfinite(float(cell)) and "_" not in cell and cell.isascii()
    except ValueError:
        return False


def check_rows(rows: int, most: int) -> None:
    """Raises TooLarge where there are more rows than a request may have."""
    if rows > most:
        raise TooLarge(f"More than {most} rows in one request; send them in parts, or raise MAX_ROWS")


def _separator(found: Upload) -> str:
    """The separator that cuts the first rows into the most cells, all alike if possible; a comma in doubt."""
    start = found.head(_HEAD + 1)
    whole = len(start) <= _HEAD
    head = (start if whole else start[: start.rfind(b"\n", 0, _HEAD) + 1] or start).decode(errors="ignore")

    def quality(separator: str) -> tuple[bool, int]:
        try:
            widths = [len(row) for row in islice(_reader(io.StringIO(head, newline=""), separator), 10) if row]
        except csv.Error:
            widths = [1]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    first = head[: head.find("\n")]
    candidates = [separator for separator in SEPARATORS if separator in first] or [","]
    return candidates[0] if len(candidates) == 1 and '"' not in first else max(SEPARATORS, key=quality)


def _reader(lines: Any, separator: str) -> Any:
    return csv.reader(lines, delimiter=separator, strict=True)


def _check_header(header: list[str], field: str) -> None:
    """Raises Invalid where two columns share a name, none has one, or one is too long."""
    for place, name in enumerate(header, 1):
        if len(name) > names.LONGEST:
            message = f"the name of column {place} has {len(name):,} characters, at most {names.LONGEST:,} are allowed"
            raise wrong(field, f"{message}; it begins with {name[:60]!r}; is a quote or a line break missing?")
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        message = f"the header names {listed(list(map(repr, map(short, twice))))} more than once"
        raise wrong(field, f"{message}; give each column a name of its own{hint(header)}")
    if not any(header):
        raise wrong(field, "the header names no column")
