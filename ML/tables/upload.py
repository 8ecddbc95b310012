"""An uploaded CSV file as bytes: decompressed, recognised, and decoded block by block."""

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic_core import from_json

from ML.errors import Invalid
from ML.tables import compression

GZIP = b"\x1f\x8b"
BLOCK = 256 * 1024
"""How many bytes are decoded at once. A block ends with a line if it can."""
LONGEST_ROW = 1024 * 1024
"""How many bytes a row may have. The csv module takes up to 16 times as much memory to read it."""

_START = re.compile(rb"(?:\xef\xbb\xbf|[\r\n])*+")
_OPENING = re.compile(rb"[\[{]\s*+(?:[\[{\"]|$)")
_NOT_BLANK = re.compile(rb"\S")
_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or another zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
}
_MAGIC = tuple(_FORMATS)
_PAGE = re.compile(rb"<(?:!doctype )?html", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """The bytes of a file and the offset of its text."""

    data: bytes
    start: int

    def head(self, size: int) -> bytes:
        """Return the first bytes of the text."""
        return self.data[self.start : self.start + size]


class Lines:
    """The lines of an upload, for the csv module. `pending` counts the bytes since it was last set to 0."""

    def __init__(self, upload: Upload) -> None:
        self.pending = 0
        self._upload = upload

    def __iter__(self) -> Iterator[str]:
        """Yield the lines. Raise Invalid for bytes that are not UTF-8, and for a row that is too long."""
        data, place = self._upload.data, self._upload.start
        while place < len(data):
            end = _line_end(data, place)
            self.pending += end - place
            if self.pending > LONGEST_ROW + BLOCK:
                raise wrong(
                    f"a row is longer than {LONGEST_ROW // 1024} kB; is a quote missing, or a line break?",
                )
            yield from io.StringIO(self._decoded(place, end), newline="")
            place = end

    def _decoded(self, start: int, end: int) -> str:
        data = self._upload.data
        try:
            return str(memoryview(data)[start:end], "utf-8")
        except UnicodeDecodeError as error:
            place = start + error.start
            message = f"the byte 0x{data[place]:02x} at offset {place} is not UTF-8; save the file as UTF-8"
            raise wrong(message) from None


def read(data: bytes, most_bytes: int) -> Upload:
    """Return a CSV file, plain or gzip'd, with any number of BOMs.

    Raise Invalid if it is empty or another kind of file, and TooLarge if it holds more than `most_bytes`.
    """
    data = _unzipped(data, most_bytes)
    beginning = _START.match(data)
    upload = Upload(data, beginning.end() if beginning else 0)
    _check_kind(upload)
    if not _NOT_BLANK.search(data, upload.start):
        raise wrong("the file is empty")
    return upload


def wrong(message: str) -> Invalid:
    """Return the exception for a file that is wrong as a whole."""
    return Invalid.at(msg=message, type="csv_invalid")


def _line_end(data: bytes, start: int) -> int:
    """Return the end of a block: after the last line break in it, or after the next one."""
    last = start + BLOCK
    if last >= len(data):
        return len(data)
    end = max(data.rfind(b"\n", start, last), data.rfind(b"\r", start, last - 1)) + 1
    if end:
        return end
    # The line is longer than a block. If it never ends, take enough for `Lines` to refuse it.
    last = start + LONGEST_ROW + BLOCK + 1
    ends = [place for place in (data.find(b"\n", start, last), data.find(b"\r", start, last)) if place >= 0]
    return min([*(place + 1 for place in ends), last, len(data)])


def _unzipped(data: bytes, most: int) -> bytes:
    if data[:2] != GZIP:
        return data
    try:
        return compression.unpack(data, most, compression.GZIP)
    except zlib.error as error:
        raise wrong(f"the file starts like gzip but can't be unpacked: {error}") from None
    except EOFError:
        raise wrong("the gzip file ends too early; was its upload cut off?") from None


def _check_kind(upload: Upload) -> None:
    data = upload.data
    if data.startswith(_MAGIC) or b"\0" in data[:4096]:
        name = next((name for magic, name in _FORMATS.items() if data.startswith(magic)), "")
        kind = f" ({name})" if name else ""
        raise wrong(f"this is not a CSV file but a binary one{kind}; export the table as CSV (UTF-8)")
    head = upload.head(4096).lstrip()
    if head[:1] in (b"[", b"{") and _is_json(head):
        raise wrong(
            "this is JSON, not CSV; send JSON rows to /predict with Content-Type application/json, "
            "or export the table as CSV",
        )
    if _PAGE.match(head):
        raise wrong("this is a web page, not CSV; was a login page saved in place of the file?")


def _is_json(head: bytes) -> bool:
    """Return whether a file that begins with a bracket is JSON or JSON Lines, not a CSV header."""
    line = head.partition(b"\n")[0]
    try:
        from_json(line)  # JSON Lines, or an array in one line
    except ValueError as error:
        # JSON that goes on in the next line. A header such as `["x"],b` fails differently.
        return "EOF" in str(error) and bool(_OPENING.match(line))
    return True
