"""The kinds of a column, and how a cell of each kind is converted, from CSV text or JSON.

| kind   | CSV cell                    | JSON value                      | the pipeline sees          |
|--------|-----------------------------|---------------------------------|----------------------------|
| number | decimal text                | a finite number                 | float64, NaN where missing |
| flag   | one of the two learned words| true, false or a learned word   | 1.0, 0.0, NaN              |
| date   | ISO 8601 date or datetime   | the same text                   | days since 1970 (UTC), NaN |
| text   | the text itself             | a string                        | str, NaN where missing     |
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

Kind = Literal["number", "flag", "date", "text"]

GAPS = frozenset({"", "na", "nan", "null", "none", "-"})
WORDS = (("false", "true"), ("no", "yes"), ("0", "1"))
NAN = math.nan
BLOCK = 10_000
"""How many cells are examined together."""

_LEADING_ZERO = re.compile(r"[+-]?0\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:$|[T ]\d)", re.ASCII)
_DAY = 86_400.0


def is_gap(text: str, kind: Kind) -> bool:
    """Return whether a CSV cell is a missing value. In a text column only an empty cell is: `NA` may be Namibia."""
    return not text if kind == "text" else text.strip().lower() in (GAPS if kind == "number" else ("",))


def number(text: str) -> float:
    """Return decimal text as a float, NaN if missing. Raise ValueError for anything else, infinity included."""
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        value = NAN
    # float() also accepts 1_000, nan, inf and the digits of other scripts.
    if math.isfinite(value) and "_" not in text and text.isascii():
        return value
    if text.lower() in GAPS:
        return NAN
    raise ValueError(f"{_shown(text)} is not a finite number")


def plain_numbers(column: Sequence[str]) -> list[float] | None:
    """Return a column of finite numbers, three times as fast as `number`. Return None if unsure."""
    text = "".join(column)
    if "_" in text or not text.isascii():
        return None
    try:
        values = list(map(float, column))
    except ValueError:
        return None
    return values if math.isfinite(sum(values)) else None


def date(text: str) -> float:
    """Return an ISO 8601 date or datetime as days since 1970, NaN for a missing value. Without an offset it is UTC."""
    text = text.strip()
    if not text:
        return NAN
    if not _DATE.match(text):
        raise ValueError(f"{_shown(text)} is not an ISO 8601 date, such as 2024-12-31 or 2024-12-31T23:59:00")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{_shown(text)} is not an ISO 8601 date: {error}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() / _DAY


def flag(words: Sequence[str]) -> Callable[[str], float]:
    """Return a converter of the two learned words, false first, to 0.0 and 1.0."""
    values = {words[0]: 0.0, words[1]: 1.0, "": NAN}
    if words[0] == "0":  # spreadsheets and pandas write them so in columns with missing values
        values |= {"0.0": 0.0, "1.0": 1.0}

    def convert(text: str) -> float:
        try:
            return values[text.strip().lower()]
        except KeyError:
            raise ValueError(f"{_shown(text)} is neither {words[0]} nor {words[1]}") from None

    return convert


def text(cell: str) -> Any:
    """Return the text itself, NaN for an empty cell."""
    return cell or NAN


def converter(kind: Kind, words: Sequence[str] = ()) -> Callable[[str], Any]:
    """Return the function that converts a CSV cell of this kind for the pipeline."""
    return flag(words) if kind == "flag" else {"number": number, "date": date, "text": text}[kind]


def learn(cells: Iterable[str]) -> tuple[Kind, Sequence[str]] | None:
    """Return the kind of a column, learned from all its cells, and a flag's words. Return None if all are empty."""
    words: set[str] = set()
    number = present = False
    numeric = dated = True
    for seen in _distinct(cells):
        present = present or not all(is_gap(cell, "date") for cell in seen)
        if len(words) <= 2:
            words |= {cell.strip().lower() for cell in seen} - {""}
        number = number or any(cell.strip().lower() not in GAPS for cell in seen)
        numeric = numeric and _numeric(seen)
        dated = dated and all(is_gap(cell, "date") or _dated(cell) for cell in seen)
    if not present:
        return None
    if pair := _flag_words(words):
        return "flag", pair
    return ("number" if numeric and number else "date" if dated else "text"), ()


def _distinct(cells: Iterable[str]) -> Iterator[set[str]]:
    """Yield the cells in small sets, which drops most repetitions."""
    following = iter(cells)
    while seen := set(islice(following, BLOCK)):
        yield seen


def _flag_words(words: set[str]) -> Sequence[str]:
    for pair in WORDS:
        # A column of ones only is a constant number, not a flag.
        if words <= set(pair) and (len(words) == 2 or pair != ("0", "1")):
            return pair
    return ()


def _numeric(cells: set[str]) -> bool:
    """Return whether all cells are numbers or missing. 1e999 counts: it is rejected later, with its row."""
    values = [cell for cell in (c.strip() for c in cells) if cell.lower() not in GAPS]
    return all(_parses(cell) and not _LEADING_ZERO.match(cell) for cell in values)


def _parses(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell and cell[-1].isdigit() | (cell[-1] == ".")


def _dated(cell: str) -> bool:
    try:
        return not math.isnan(date(cell))
    except ValueError:
        return False


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else cell[:57] + "...")
