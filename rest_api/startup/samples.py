"""The tables in ML/data that suit a model, for the commands that a start prints."""

import ast
import csv
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ML.config.config import ROOT
from ML.versions.card import Card

SOURCE, DATA = ROOT / "ML" / "src", ROOT / "ML" / "data"


class Sample(NamedTuple):
    """Tables to train from and to predict, as paths from the project's folder, and the target column."""

    train: str
    test: str
    target: str


def of_model(model: str) -> Sample | None:
    """Return the model's SAMPLE.

    The module is read but not imported: scikit-learn would take two seconds, and memory in every worker.
    """
    with suppress(OSError, SyntaxError, ValueError, TypeError):
        for statement in ast.parse((SOURCE / f"{model}.py").read_text()).body:
            if isinstance(statement, ast.Assign) and [ast.unparse(name) for name in statement.targets] == ["SAMPLE"]:
                name, target = ast.literal_eval(statement.value)
                return _sample(DATA / name, target)
    return None


def of_version(card: Card) -> Sample | None:
    """Return the model's SAMPLE if it has the columns and the target of this version."""
    sample = of_model(card.model)
    if sample and card.features and sample.target == card.target_variable:
        names = {*card.features.names, sample.target}
        return sample if names <= _header(ROOT / sample.train) else None
    return None


def _sample(train: Path, target: str) -> Sample | None:
    test = train.with_name("test.csv")
    held_out = train.name == "train.csv" and _header(train) == _header(test)
    if not train.is_file():
        return None
    return Sample(_short(train), _short(test if held_out else train), target)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _header(path: Path) -> set[str]:
    """Return the names in a file's first line; none where it is no plain CSV file with commas."""
    with suppress(OSError, ValueError, csv.Error), path.open(encoding="utf-8-sig", newline="") as file:
        return set(next(csv.reader(file), []))
    return set()
