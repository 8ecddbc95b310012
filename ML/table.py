"""A CSV file as text cells: decoded, its separator found, every row as long as the header."""

import csv
import io
import math
import zlib
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ML import cells, zipped
from ML.errors import Invalid, TooLarge

SEPARATORS = ",;\t|"
CHUNK = 1000
GZIP = b"\x1f\x8b"

csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, from an upload that is read once.

    Rows count from 1, the header not counted. Columns without a name (a spreadsheet's index) are left out.
    """

    header: list[str]
    unnamed: list[str]
    _text: str
    _separator: str
    _places: list[int]
    _field: str

    def chunks(self) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
        """Columns of at most 1,000 rows at a time, each time with the number of their first row.

        Between two chunks other threads run. Raises Invalid, which names every ragged row.
        """
        first, count = 1, 0
        ragged: list[tuple[int, int]] = []
        reader = _reader(self._text, self._separator)
        width = len(next(reader))
        try:
            # csv gives [] for an empty line, which ends many files.
            rows = (row for row in reader if row)
            while chunk := list(islice(rows, CHUNK)):
                wrong = [(first + i, len(row)) for i, row in enumerate(chunk) if len(row) != width]
                # The caller reads the first hundred; there may be millions.
                count, ragged = count + len(wrong), (ragged + wrong)[: Invalid.most]
                if not ragged:
                    columns = list(zip(*chunk, strict=True))
                    yield first, [columns[place] for place in self._places]
                first += len(chunk)
        except csv.Error as error:
            raise _wrong(self._field, f"line {reader.line_num}: {error}; check the quotes there") from None
        if ragged:
            raise Invalid(
                [
                    {
                        "loc": ["body", self._field, row],
                        "type": "ragged_row",
                        "input": None,
                        "msg": f"row {row} has {cells} cells where the header has {width}",
                    }
                    for row, cells in ragged
                ],
                count,
            )
        if first == 1:
            raise _wrong(self._field, "the file has a header but no rows")

    def columns(self, most: int) -> list[list[str]]:
        """All cells, a list for each column of the header. Raises TooLarge past so many rows."""
        found: list[list[str]] = [[] for _ in self.header]
        for first, chunk in self.chunks():
            check_rows(first + len(chunk[0]) - 1, most)
            for column, more in zip(found, chunk, strict=True):
                column += more
        return found


def read(data: bytes, most_bytes: int, field: str = "csv_file") -> Table:
    """A table from an uploaded file: UTF-8 with or without a BOM, plain or gzip'd, separated by `,` `;` `|` or tabs.

    Raises Invalid where it is no such file, and TooLarge where it holds more than `most_bytes` after gunzip.
    """
    return of_text(decoded(data, most_bytes, field), field)


def decoded(data: bytes, most_bytes: int, field: str) -> str:
    """The text of such a file. Raises Invalid, and TooLarge."""
    text = _decoded(_unzipped(data, most_bytes, field), field).lstrip("\r\n")
    if not text.strip():
        raise _wrong(field, "the file is empty")
    return text


def of_text(text: str, field: str, separator: str = "") -> Table:
    """A table of text that begins with its header. Raises Invalid."""
    separator = separator or _separator(text)
    header = [name.strip() for name in first_row(text, separator, field)]
    _check_header(header, field)
    places = [place for place, name in enumerate(header) if name]
    unnamed = [f"column {place + 1}, which has no name" for place, name in enumerate(header) if not name]
    return Table([header[place] for place in places], unnamed, text, separator, places, field)


def first_row(text: str, separator: str, field: str) -> list[str]:
    """The cells of the first line. Raises Invalid."""
    return first_rows(text, separator, field, 1)[0]


def first_rows(text: str, separator: str, field: str, most: int) -> list[list[str]]:
    """Those of so many lines, if there are. Raises Invalid."""
    try:
        return list(islice(_reader(text, separator), most))
    except csv.Error as error:
        raise _wrong(field, f"the header can't be read: {error}; check the quotes there") from None


def hint(header: Sequence[str]) -> str:
    """What to add where names are missing: a question, if most names are numbers, as only a row's or years are."""

    def is_number(name: str) -> bool:
        try:
            return not math.isnan(cells.number(name))
        except ValueError:
            return False

    if 2 * sum(map(is_number, header)) <= len(header):
        return ""
    return f"; is the header missing? The first line is {','.join(header)[:60]} and must name the columns"


def check_rows(rows: int, most: int) -> None:
    """Raises TooLarge where there are more rows than a request may have."""
    if rows > most:
        raise TooLarge(f"More than {most} rows in one request; send them in parts, or raise MAX_ROWS")


def _unzipped(data: bytes, most: int, field: str) -> bytes:
    if data[:2] != GZIP:
        return data
    try:
        return zipped.unpack(data, most, zipped.GZIP)
    except zlib.error as error:
        raise _wrong(field, f"the file starts like gzip but can't be unpacked: {error}") from None
    except EOFError:
        raise _wrong(field, "the gzip file ends too early; was its upload cut off?") from None


def _decoded(data: bytes, field: str) -> str:
    if data[:4] in (b"PK\x03\x04", b"PAR1") or b"\0" in data[:4096]:
        raise _wrong(field, "this is not a CSV file but a binary one; export the table as CSV (UTF-8)")
    try:
        return data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        place = error.start + len(BOM_UTF8) * data.startswith(BOM_UTF8)
        raise _wrong(
            field, f"the byte 0x{data[place]:02x} at offset {place} is not UTF-8; save the file as UTF-8"
        ) from None


def _separator(text: str) -> str:
    """The separator that cuts the first rows into the most cells, all alike if possible; a comma in doubt."""

    head = text[: text.rfind("\n", 0, 100_000) + 1] if len(text) > 100_000 else text

    def quality(separator: str) -> tuple[bool, int]:
        try:
            widths = [len(row) for row in islice(_reader(head, separator), 10) if row]
        except csv.Error:
            widths = [1]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    first = head[: head.find("\n")]
    candidates = [separator for separator in SEPARATORS if separator in first] or [","]
    return candidates[0] if len(candidates) == 1 and '"' not in first else max(SEPARATORS, key=quality)


def _reader(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def _check_header(header: list[str], field: str) -> None:
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        raise _wrong(
            field,
            f"the header names {', '.join(map(repr, twice))} more than once; give each column a name of its own"
            + hint(header),
        )
    if not any(header):
        raise _wrong(field, "the header names no column")


def _wrong(field: str, message: str) -> Invalid:
    return Invalid.at("body", field, msg=message, type="csv_invalid")
