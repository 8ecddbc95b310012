"""Open an uploaded CSV file as a table: find its separator and check its header."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from ML.tables import names, upload
from ML.tables.csv_table import Table, csv_reader
from ML.tables.names import header_hint, listed, short
from ML.tables.upload import Lines, Upload, wrong

SEPARATORS = ",;\t|"
HEAD_BYTES = 100_000
"""How much of the file decides about its separator, in bytes."""


def read(data: bytes, most_bytes: int) -> Table:
    """Return the table in an uploaded file: UTF-8 with or without a BOM, plain or gzip'd, split by `,` `;` `|` or tab.

    Raise Invalid for any other file, and TooLarge if it holds more than `most_bytes` after decompression.
    """
    return of_upload(upload.read(data, most_bytes))


def of_upload(file: Upload, separator: str = "") -> Table:
    """Return the table in a file whose first line is its header. Raise Invalid."""
    separator = separator or _separator(file)
    return _table(file, separator, first_row(file, separator), True)


def under(header: Sequence[str], file: Upload, separator: str) -> Table:
    """Return the table in a file without a header, under the given one. Raise Invalid."""
    return _table(file, separator, header, False)


def _table(file: Upload, separator: str, first: Sequence[str], headed: bool) -> Table:
    header = [name.strip() for name in first]
    _check_header(header)
    places = [place for place, name in enumerate(header) if name]
    unnamed = [f"column {place + 1}, which has no name" for place, name in enumerate(header) if not name]
    named = [header[place] for place in places]
    return Table(named, unnamed, file, separator, places, len(header), headed)


def first_row(file: Upload, separator: str) -> list[str]:
    """Return the cells of the first line. Raise Invalid."""
    return first_rows(file, separator, 1)[0]


def first_rows(file: Upload, separator: str, most: int) -> list[list[str]]:
    """Return the cells of the first `most` lines, fewer if the file is shorter. Raise Invalid."""
    line = file.head(upload.LONGEST_ROW)
    if line.count(separator.encode()) > names.MOST and b"\n" not in line and b"\r" not in line:
        raise wrong(
            f"the first line has more than {names.MOST:,} cells; a table has at most {names.MOST:,} columns",
        )
    try:
        rows = list(islice(csv_reader(Lines(file), separator), most))
    except csv.Error as error:
        raise wrong(f"the header can't be read: {error}; check the quotes there") from None
    if len(rows[0]) > names.MOST:
        message = f"the first line has {len(rows[0]):,} cells; a table has at most {names.MOST:,} columns"
        raise wrong(message)
    return rows


def _separator(file: Upload) -> str:
    """Return the separator that gives the first rows the most cells, the same number if possible; else a comma."""
    start = file.head(HEAD_BYTES + 1)
    whole = len(start) <= HEAD_BYTES
    head = (start if whole else start[: start.rfind(b"\n", 0, HEAD_BYTES) + 1] or start).decode(errors="ignore")

    def quality(separator: str) -> tuple[bool, int]:
        try:
            widths = [len(row) for row in islice(csv_reader(io.StringIO(head, newline=""), separator), 10) if row]
        except csv.Error:
            widths = [1]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    first = head[: head.find("\n")]
    candidates = [separator for separator in SEPARATORS if separator in first] or [","]
    return candidates[0] if len(candidates) == 1 and '"' not in first else max(SEPARATORS, key=quality)


def _check_header(header: list[str]) -> None:
    """Raise Invalid if two columns share a name, none has a name, or a name is too long."""
    for place, name in enumerate(header, 1):
        if len(name) > names.LONGEST:
            message = f"the name of column {place} has {len(name):,} characters, at most {names.LONGEST:,} are allowed"
            raise wrong(f"{message}; it begins with {name[:60]!r}; is a quote or a line break missing?")
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        message = f"the header names {listed(list(map(repr, map(short, twice))))} more than once"
        raise wrong(f"{message}; give each column a name of its own{header_hint(header)}")
    if not any(header):
        raise wrong("the header names no column")
