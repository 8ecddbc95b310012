"""Learn the type of a target column from its cells, and check that it suits the task."""

from collections.abc import Sequence
from itertools import islice
from typing import Literal

import numpy as np

from ML.errors import Invalid
from ML.schema import cells
from ML.schema.target import INTEGER, Target, Task

MOST_SHOWN = 5
"""How many rows a message names."""


def learn(name: str, column: Sequence[str], task: Task | None) -> Target:
    """Return the target that a column is. Without a task (a plain object with fit and predict) the values decide it.

    Raise Invalid for missing values, one class only, a class for each row, and values that do not suit the task.
    """
    kind, words = cells.learn(column) or ("text", ())
    _check_gaps(name, column, "number" if kind == "number" else "date")
    if kind == "number":  # rejects values too large for a float, naming the row
        Target(name=name, task="regression", type="number").convert(column)
    kind_of = _type(kind, words, column)
    task = task or ("regression" if kind_of == "number" else "classification")
    target = Target(name=name, task=task, type=kind_of)
    (_check_regression if task == "regression" else _check_classes)(target, column)
    return target


def _check_gaps(name: str, column: Sequence[str], kind: cells.Kind) -> None:
    gaps = (row for row, cell in enumerate(column, 1) if cells.is_gap(cell, kind))
    if first := list(islice(gaps, MOST_SHOWN + 1)):
        count = len(first) + sum(1 for _ in gaps)
        raise _wrong(
            name, f"the target {name} is missing in {count} rows, first in {_rows(first)}; fill or remove them"
        )


def _type(kind: str, words: Sequence[str], column: Sequence[str]) -> Literal["integer", "number", "boolean", "string"]:
    if tuple(words) == ("false", "true"):
        return "boolean"
    if kind == "number" or tuple(words) == ("0", "1"):
        return "integer" if all(map(_is_integer, column)) else "number"
    return "string"


def _check_regression(target: Target, column: Sequence[str]) -> None:
    name = target.name
    if target.type in ("boolean", "string"):
        wrong = next(((row, cell) for row, cell in enumerate(column, 1) if not _is_number(cell)), (1, column[0]))
        raise _wrong(
            name,
            f"a regression needs numbers, but {name} is {wrong[1][:60]!r} in row {wrong[0]}; "
            "choose another target or a classifier",
        )


def _check_classes(target: Target, column: Sequence[str]) -> None:
    name, classes, rows = target.name, _count_classes(target, column), len(column)
    if classes == 1:
        raise _wrong(
            name,
            f"the target {name} has one class only, {column[0][:60]!r}; a classifier needs two or more",
        )
    if classes == rows:
        raise _wrong(
            name,
            f"the target {name} has as many classes as rows ({rows}): "
            "is it an identifier, or a number for a regressor?",
        )
    if target.type == "number" and classes > max(20, rows // 10):
        raise _wrong(
            name,
            f"the target {name} looks continuous ({classes} different numbers in {rows} rows); train a regressor",
        )


def _count_classes(target: Target, column: Sequence[str]) -> int:
    """Return the number of different labels. Texts are counted by their hashes, which take less memory."""
    if target.type != "string":
        return len(np.unique(target.convert(column)))
    return len(np.unique(np.fromiter(map(hash, column), np.int64, len(column))))


def _is_integer(cell: str) -> bool:
    """Return whether an int64 holds the number. Integers are not read as floats, which would merge large ones."""
    value = int(cell) if INTEGER.fullmatch(cell.strip()) else cells.number(cell)
    return float(value).is_integer() and -(2**63) <= value < 2**63


def _is_number(cell: str) -> bool:
    try:
        cells.number(cell)
    except ValueError:
        return False
    return True


def _rows(rows: list[int]) -> str:
    shown = ", ".join(map(str, rows[:MOST_SHOWN]))
    return f"row {shown}" if len(rows) == 1 else f"rows {shown}{', ...' if len(rows) > MOST_SHOWN else ''}"


def _wrong(name: str, message: str) -> Invalid:
    return Invalid.at(name, msg=message, type="target_invalid")
