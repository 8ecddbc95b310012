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

from ML import cells
from ML.errors import Invalid, TooLarge

SEPARATORS = ",;\t|"
CHUNK = 1000
GZIP = b"\x1f\x8b"
PIECE = 16 * 1024
"""Bytes that are unpacked at a time."""

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
        first, count, ragged = 1, 0, list[tuple[int, int]]()
        reader = _reader(self._text, self._separator)
        width = len(next(reader))
        try:
            # csv gives [] for an empty line, which ends many files.
            rows = (row for row in reader if row)
            while chunk := list(islice(rows, CHUNK)):
                wrong = [(first + i, len(row)) for i, row in enumerate(chunk) if len(row) != width]
                count += len(wrong)
                ragged += wrong[: Invalid.most - len(ragged)]
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
    text = _decoded(_unzipped(data, most_bytes, field), field)
    if not text.strip():
        raise _wrong(field, "the file is empty")
    separator = _separator(text)
    try:
        header = [name.strip() for name in next(_reader(text.lstrip("\r\n"), separator))]
    except csv.Error as error:
        raise _wrong(field, f"the header can't be read: {error}; check the quotes there") from None
    _check_header(header, field)
    places = [place for place, name in enumerate(header) if name]
    unnamed = [f"column {place + 1}, which has no name" for place, name in enumerate(header) if not name]
    return Table([header[place] for place in places], unnamed, text.lstrip("\r\n"), separator, places, field)


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
    plain = bytearray()
    unzip = zlib.decompressobj(wbits=31)
    # In pieces: what follows a member is copied, and a file may have millions of them.
    for start in range(0, len(data), PIECE):
        piece = data[start : start + PIECE]
        while piece:
            if unzip.eof:
                unzip = zlib.decompressobj(wbits=31)
            try:
                plain += unzip.decompress(piece, most + 1 - len(plain))
            except zlib.error as error:
                raise _wrong(field, f"the file starts like gzip but can't be unpacked: {error}") from None
            if len(plain) > most:
                raise TooLarge(
                    f"The file holds more than {most} bytes when unpacked; send it in parts, or raise MAX_BODY_MB"
                )
            piece = unzip.unused_data
    if not unzip.eof:
        raise _wrong(field, "the gzip file ends too early; was its upload cut off?")
    return bytes(plain)


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
