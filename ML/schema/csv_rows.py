"""Check and convert the rows of a CSV table by a learned schema."""

from collections.abc import Sequence
from typing import Any

from ML.errors import Invalid
from ML.schema import cells
from ML.schema.schema import REMEDY, Column, Schema
from ML.tables.columns import Columns
from ML.tables.csv_table import Table, check_rows
from ML.tables.names import Spelling, header_hint

LONGEST_INPUT = 1000
"""How much of a cell an error repeats, in characters."""


def from_table(
    schema: Schema, table: Table, target: str | None, most_rows: int
) -> tuple[Sequence[Sequence[Any]], Sequence[str] | None]:
    """Return the converted features of a CSV file (a sequence each), and the target's cells if it has that column.

    Raise Invalid, which names every missing column and every wrong cell, and TooLarge.
    """
    check_names(schema.names, table.header, target)
    place_of = {name: place for place, name in enumerate(table.header)}
    places = [place_of[name] for name in schema.names]
    features, labels = Columns(schema.kinds), Columns(["text"], missing="")
    errors: list[dict[str, Any]] = []
    for first, chunk in table.chunks():
        check_rows(first + len(chunk[0]) - 1, most_rows)
        parts = [
            convert(column, chunk[place], first, errors) for column, place in zip(schema.columns, places, strict=True)
        ]
        if not errors:
            features.add(parts)
        if target in place_of:
            labels.add([list(chunk[place_of[str(target)]])])
        if len(errors) >= Invalid.counted:
            raise Invalid(errors, whole=False)
    if errors:
        raise Invalid(errors)
    return features.parts, labels.parts[0] if target in place_of else None


def convert(column: Column, part: Sequence[str], first: int, errors: list[dict[str, Any]]) -> list[Any]:
    """Return the cells of one column, converted for the pipeline. Append an error for each wrong cell, with its row."""
    function = column.convert
    if column.kind == "number" and (numbers := cells.plain_numbers(part)):
        return numbers
    try:
        values = list(map(function, part))
        if column.gaps or all(value == value for value in values):
            return values
    except ValueError:
        values = []
    _find_errors(column, part, first, errors)
    return values


def _find_errors(column: Column, part: Sequence[str], first: int, errors: list[dict[str, Any]]) -> None:
    function = column.convert
    for row, cell in enumerate(part, first):
        try:
            if function(cell) != function(cell) and not column.gaps:
                raise ValueError(f"it is missing, and the model can't do without it; {REMEDY}")
        except ValueError as error:
            wrong = {
                "loc": [row, column.name],
                "msg": f"row {row}, {column.name}: {error}",
                "type": f"{column.kind}_invalid",
                "input": cell[:LONGEST_INPUT],
            }
            # The caller sees the first hundred. The others, maybe millions, are only counted.
            errors.append(wrong if len(errors) < Invalid.most else errors[-1])


def check_names(wanted: Sequence[str], names: Sequence[str], target: str | None = None) -> None:
    """Raise Invalid with every missing column and the names that it may be misspelt as."""
    present = set(names)
    missing = [name for name in wanted if name not in present]
    if not missing:
        return
    known = {*wanted, target}
    unknown = [name for name in names if name not in known]
    spelling, question = Spelling(), header_hint(names)
    messages = [(name, spelling.missing(name, unknown) + question) for name in missing[: Invalid.most]]
    raise Invalid(
        [{"loc": [name], "msg": message, "type": "missing_column", "input": None} for name, message in messages],
        len(missing),
    )
