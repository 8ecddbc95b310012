"""A large JSON array cut into pieces before it is parsed: as Python values all of it would take ten times its bytes."""

import re
from collections.abc import Callable

from ML.errors import Invalid
from ML.tables.upload import LONGEST_ROW

PIECE = 128 * 1024
"""Bytes that are parsed at once."""

LEVELS = 8
"""Most levels of brackets in a row of a large body."""


def _nested(levels: int) -> bytes:
    """A pattern of an array or object with so many levels at most."""
    inner = STRING + (b"|" + _nested(levels - 1) if levels > 1 else b"")
    return rb"[\[{]" + _PLAIN + rb"(?:(?:" + inner + rb")" + _PLAIN + rb")*+[\]}]"


# No pattern ever goes back, so each reads a byte twice at most.
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


TOO_LONG = f"has more than {LONGEST_ROW // 1024} kB, which is the most"


class NotJson(ValueError):
    """Bytes that are not JSON; the message of the parser, and the byte where it stopped, if it said so."""

    def __init__(self, message: str, data: bytes) -> None:
        super().__init__(message)
        self.text, self.offset = message, -1
        if found := _PLACE.search(message):
            start = 0
            for _ in range(int(found[1]) - 1):
                start = data.index(b"\n", start) + 1
            self.text, self.offset = message[: found.start()], start + int(found[2])

    def within(self, body: bytes, offset: int) -> "NotJson":
        """The same error, at a byte of the whole body."""
        if self.offset < 0:
            return self
        place = max(0, min(offset, len(body)))
        line, start = body.count(b"\n", 0, place) + 1, body.rfind(b"\n", 0, place) + 1
        return NotJson(f"{self.text} at line {line} column {place - start}", body)


class Array:
    """The rows of a body `{"instances": [...], ...}`, and what is around them."""

    def __init__(self, body: bytes, start: int) -> None:
        self.body, self.start = body, start
        self.end = start
        """After the pieces that were read; in the end, before the closing bracket."""
        self.first = body[start : start + 1]
        """The first byte of the first row."""

    def read(self, parse: Callable[[bytes], None]) -> None:
        """Call `parse` with every piece, as a JSON array; it raises NotJson. Raises NotJson and Invalid."""
        done, close = False, b"]," if self.first == b"[" else b"},"
        while not done:
            # Most often a row ends here. If it does not, the piece is not JSON: a bracket or a quote stays open.
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
        """Call `parse` with the body in which a 0 stands for all rows. Raises NotJson and Invalid."""
        if len(self.body) - (self.end - self.start) > LONGEST_ROW:
            raise Invalid.at("body", msg=f"what is beside the instances {TOO_LONG}", type="too_long")
        try:
            parse(self.body[: self.start] + b"0" + self.body[self.end :])
        except NotJson as error:
            after = (self.end - self.start - 1) * (error.offset > self.start)
            raise error.within(self.body, error.offset + after) from None

    def _exact(self) -> tuple[int, int, bool]:
        """The end of a piece, where the next one begins, and whether it is the last; -1 where the array is broken."""
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
        """The end of one row; -1 where it has none. Raises Invalid for one that is too long or too deep."""
        limit = start + LONGEST_ROW
        if row := _ROW.match(self.body, start, limit):
            return row.end()
        depth, place = 0, start
        while found := _BRACKET.match(self.body, place, limit):
            depth, place = depth + (1 if found[1] in b"[{" else -1), found.end()
            if depth == 0:
                message = f"a row has more than {LEVELS} levels of brackets; send plain values"
                raise Invalid.at("body", "instances", msg=message, type="too_deep")
            if depth < 0:
                return -1
        if limit < len(self.body):
            raise Invalid.at("body", "instances", msg=f"a row {TOO_LONG}", type="too_long")
        return -1


def find(body: bytes) -> Array | None:
    """The array of a large body, where there is one and nothing nested before it."""
    found = _HEAD.match(body)
    array = Array(body, found.end()) if found else None
    return array if array and array.first not in (b"", b"]") else None
