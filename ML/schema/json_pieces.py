"""Cuts a large JSON array into pieces before parsing: as Python values all of it would take ten times its bytes."""

import re
from collections.abc import Callable

from ML.errors import Invalid
from ML.tables.upload import LONGEST_ROW

PIECE = 128 * 1024
"""How many bytes are parsed at once."""

LEVELS = 8
"""How many levels of brackets a row of a large body may have."""


def _nested(levels: int) -> bytes:
    """Return a pattern of an array or object with at most `levels` levels."""
    inner = STRING + (b"|" + _nested(levels - 1) if levels > 1 else b"")
    return rb"[\[{]" + _PLAIN + rb"(?:(?:" + inner + rb")" + _PLAIN + rb")*+[\]}]"


# The quantifiers are possessive: a pattern never backtracks, and reads each byte twice at most.
STRING = rb'"(?:[^"\\]++|\\.)*+"'
_PLAIN = rb'[^"\[\]{}]*+'
_VALUE = rb"(?:" + _nested(LEVELS) + rb"|" + STRING + rb'|[^\s,"\[\]{}]++)'
_HEAD = re.compile(
    rb'\s*+\{\s*+(?:(?!"instances")' + STRING + rb"\s*+:\s*+" + _VALUE + rb'\s*+,\s*+)*+"instances"\s*+:\s*+\[\s*+',
    re.DOTALL,
)
_ROWS = re.compile(rb"(?:\s*+" + _VALUE + rb"\s*+,)*+", re.DOTALL)
_ROW = re.compile(rb"\s*+" + _VALUE, re.DOTALL)
_BRACKET = re.compile(_PLAIN + rb"(?:" + STRING + _PLAIN + rb")*+([\[\]{}])", re.DOTALL)
_NEXT = re.compile(rb"\s*+([,\]])")
_PLACE = re.compile(r" at line (\d+) column (\d+)$")


TOO_LONG = f"has more than {LONGEST_ROW // 1024} kB, the maximum"


class NotJson(ValueError):
    """Bytes that are not JSON: the parser's message, and the offset where it stopped, -1 if unknown."""

    def __init__(self, message: str, data: bytes) -> None:
        super().__init__(message)
        self.text, self.offset = message, -1
        if found := _PLACE.search(message):
            start = 0
            for _ in range(int(found[1]) - 1):
                start = data.index(b"\n", start) + 1
            self.text, self.offset = message[: found.start()], start + int(found[2])

    def within(self, body: bytes, offset: int) -> "NotJson":
        """Return the error with its place in the whole body: `offset` is the byte."""
        if self.offset < 0:
            return self
        place = max(0, min(offset, len(body)))
        line, start = body.count(b"\n", 0, place) + 1, body.rfind(b"\n", 0, place) + 1
        return NotJson(f"{self.text} at line {line} column {place - start}", body)


class Array:
    """The array of rows in a body `{"instances": [...], ...}`."""

    def __init__(self, body: bytes, start: int) -> None:
        self.body, self.start = body, start
        self.end = start
        """Offset after the pieces read so far; at the end, that of the closing bracket."""
        self.first = body[start : start + 1]
        """The first byte of the first row."""

    def read(self, parse: Callable[[bytes], None]) -> None:
        """Call `parse` with every piece as a JSON array. Raise NotJson, as `parse` does, and Invalid."""
        done, close = False, b"]," if self.first == b"[" else b"},"
        while not done:
            # A row usually ends here. If not, the piece is not JSON, because a bracket or a quote is left open.
            last = self.body.find(close, self.end + PIECE, self.end + LONGEST_ROW) if close else -1
            try:
                if last >= 0:
                    parse(b"[%b]" % self.body[self.end : last + 1])
                    self.end = last + 2
                    continue
            except NotJson:
                close = b""
            last, after, done = self._exact()
            piece = self.body[self.end : last] + b"]" if last >= 0 else self.body[self.end : self.end + LONGEST_ROW]
            try:
                parse(b"[" + piece)
            except NotJson as error:
                raise error.within(self.body, self.end + error.offset - 1) from None
            self.end = after

    def rest(self, parse: Callable[[bytes], None]) -> None:
        """Call `parse` with the body, its rows replaced by a 0. Raise NotJson and Invalid."""
        if len(self.body) - (self.end - self.start) > LONGEST_ROW:
            raise Invalid.at(msg=f"the body without its instances {TOO_LONG}", type="too_long")
        try:
            parse(self.body[: self.start] + b"0" + self.body[self.end :])
        except NotJson as error:
            after = (self.end - self.start - 1) * (error.offset > self.start)
            raise error.within(self.body, error.offset + after) from None

    def _exact(self) -> tuple[int, int, bool]:
        """Return a piece's end (-1 if the array is broken), the start of the next, and whether it is the last."""
        last = begin = self.end
        while begin - self.end < PIECE:
            flat = _ROWS.match(self.body, begin, self.end + PIECE)
            if flat and flat.end() > begin:
                last, begin = flat.end() - 1, flat.end()
                continue
            last = self._row_end(begin)
            following = _NEXT.match(self.body, last) if last >= 0 else None
            if following is None:
                return -1, len(self.body), True
            if following[1] == b"]":
                return last, following.start(1), True
            begin = following.end()
        return last, begin, False

    def _row_end(self, start: int) -> int:
        """Return the end of a row, -1 if it has none. Raise Invalid if it is too long or too deeply nested."""
        limit = start + LONGEST_ROW
        if row := _ROW.match(self.body, start, limit):
            return row.end()
        depth, place = 0, start
        while bracket := _BRACKET.match(self.body, place, limit):
            depth, place = depth + (1 if bracket[1] in b"[{" else -1), bracket.end()
            if depth == 0:
                message = f"a row has more than {LEVELS} levels of brackets; send plain values"
                raise Invalid.at("instances", msg=message, type="too_deep")
            if depth < 0:
                return -1
        if limit < len(self.body):
            raise Invalid.at("instances", msg=f"a row {TOO_LONG}", type="too_long")
        return -1


def find(body: bytes) -> Array | None:
    """Return the array of rows in a large body. Return None if there is none, or none that the patterns find."""
    head = _HEAD.match(body)
    array = Array(body, head.end()) if head else None
    return array if array and array.first not in (b"", b"]") else None
