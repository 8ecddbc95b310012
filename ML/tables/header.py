"""Read a CSV file that may lack a header, as SageMaker sends it. The model's column names decide."""

from collections.abc import Sequence
from contextlib import suppress

from ML.errors import Invalid
from ML.tables import reading, upload
from ML.tables.csv_table import Table
from ML.tables.names import is_number, listed
from ML.tables.reading import SEPARATORS
from ML.tables.upload import Upload


def read(data: bytes, names: Sequence[str], target: str, most: int, header: bool | None) -> tuple[Table, bool]:
    """Return the table, and whether it has a header. `header` says so; None means that the first line decides.

    Without a header the cells are in the order of `names`. Raise Invalid and TooLarge.
    """
    file = upload.read(data, most)
    first, separator = _first(file, len(names))
    if header is None:
        header = _is_header(first, names, target)
    if header:
        return reading.of_upload(file), True
    if len(first) != len(names):
        message = f"row 1 has {_cells(len(first))} where the model has {_cells(len(names))}, in this order: "
        message += f"{listed(names)}. Or begin with a line of the columns' names, in any order"
        raise Invalid.at(1, type="ragged_row", msg=message)
    return reading.under(names, file, separator), False


def _first(file: Upload, width: int) -> tuple[list[str], str]:
    """Return the cells of the first line and its separator: the one that gives `width` cells, else a comma."""
    longest = reading.first_row(file, SEPARATORS[0])
    for separator in SEPARATORS:
        with suppress(Invalid):  # with the wrong separator, a quote may be in the wrong place
            row = reading.first_row(file, separator)
            if len(row) == width:
                return row, separator
            longest = max(longest, row, key=len)
    return longest, SEPARATORS[0]


def _is_header(first: Sequence[str], names: Sequence[str], target: str) -> bool:
    """Return whether the first line is a header: it has all columns' names, or one of them and no number."""
    cells = [cell.strip() for cell in first]
    present = set(cells)
    if present.issuperset(names):
        if all(map(is_number, names)):
            message = "the first line may be a header or a row; send Content-Type text/csv; header=present, or absent"
            raise Invalid.at(1, type="csv_invalid", msg=message)
        return True
    return not present.isdisjoint([*names, target]) and not any(map(is_number, cells))


def _cells(count: int) -> str:
    return f"{count} cell" + "s" * (count != 1)
