"""A CSV file that may have no header, as SageMaker sends it: the columns that the model learned tell."""

from collections.abc import Sequence
from contextlib import suppress

from ML.errors import Invalid
from ML.tables import reading, upload
from ML.tables.csv_table import Table
from ML.tables.names import is_number, listed
from ML.tables.reading import SEPARATORS
from ML.tables.upload import Upload

FIELD = "body"


def read(data: bytes, names: Sequence[str], target: str, most: int, header: bool | None) -> tuple[Table, bool]:
    """The table, and whether it has a header; `header` says so, or None where nobody did.

    Without one its cells are in the order of `names`. Raises Invalid and TooLarge.
    """
    found = upload.read(data, most, FIELD)
    first, separator = _first(found, len(names))
    if header is None:
        header = _is_header(first, names, target)
    if header:
        return reading.of_upload(found), True
    if len(first) != len(names):
        message = f"row 1 has {_cells(len(first))} where the model has {_cells(len(names))}, in this order: "
        message += f"{listed(names)}. Or begin with a line of the columns' names, in any order"
        raise Invalid.at(FIELD, 1, type="ragged_row", msg=message)
    return reading.under(names, found, separator), False


def _first(found: Upload, width: int) -> tuple[list[str], str]:
    """The cells of the first line, cut by the separator that gives so many; by a comma in doubt."""
    longest = reading.first_row(found, SEPARATORS[0])
    for separator in SEPARATORS:
        with suppress(Invalid):  # where this one is none, quotes may stand where they must not
            row = reading.first_row(found, separator)
            if len(row) == width:
                return row, separator
            longest = max(longest, row, key=len)
    return longest, SEPARATORS[0]


def _is_header(first: Sequence[str], names: Sequence[str], target: str) -> bool:
    """Whether the first line names columns. A line of numbers never does, unless the columns have numbers for names."""
    cells = [cell.strip() for cell in first]
    there = set(cells)
    if there.issuperset(names):
        if all(map(is_number, names)):
            message = "the first line may be a header or a row; send Content-Type text/csv; header=present, or absent"
            raise Invalid.at(FIELD, 1, type="csv_invalid", msg=message)
        return True
    return not there.isdisjoint([*names, target]) and not any(map(is_number, cells))


def _cells(count: int) -> str:
    return f"{count} cell" + "s" * (count != 1)
