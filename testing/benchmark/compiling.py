"""Speed of compiled models: trains each estimator from the command line, and reads the figures from its card."""

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from testing.benchmark import tables
from testing.benchmark.prepare import WORK

PREPARED = "ColumnTransformer([('n', make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include='number')), ('t', OneHotEncoder(handle_unknown='ignore'), make_column_selector(dtype_exclude='number'))])"  # noqa: E501
CLASSIFIERS = (
    "RandomForestClassifier(100, random_state=0)",
    "ExtraTreesClassifier(100, random_state=0)",
    "GradientBoostingClassifier(random_state=0)",
    "DecisionTreeClassifier(random_state=0)",
    "LogisticRegression(max_iter=1000)",
    "SVC()",
    "MLPClassifier(random_state=0, max_iter=500)",
    "KNeighborsClassifier()",
)
REGRESSORS = ("RandomForestRegressor(100, random_state=0)", "Ridge()", "SVR()")
SOURCE = """
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import *
from sklearn.impute import SimpleImputer
from sklearn.linear_model import *
from sklearn.neighbors import *
from sklearn.neural_network import *
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import *
from sklearn.tree import *


def build():
    return make_pipeline({columns}, {estimator})


def score(model, X, y):
    return {{"score": model.score(X, y)}}
"""


def cards(python: Path) -> dict[str, Any]:
    """Return `compiled` of the cards by estimator name, the project's two default models first."""
    folder = _fork()
    found = {"the default classifier": _trained(python, folder, "classifier", "leaves")}
    found["the default regressor"] = _trained(python, folder, "regressor", "income")
    for estimators, target in ((CLASSIFIERS, "leaves"), (REGRESSORS, "income")):
        for estimator in estimators:
            source = SOURCE.format(columns=PREPARED, estimator=estimator)
            (folder / "ML" / "src" / "tried.py").write_text(source)
            name = estimator.partition("(")[0]
            found[name] = _trained(python, folder, "tried", target)
            print(name, found[name], flush=True)
    return found


def table(found: dict[str, Any]) -> list[str]:
    """Return the figures as a Markdown table."""
    lines = [
        "| estimator | served by | 1 row: ms | compiled | many rows | ms | compiled | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, card in found.items():
        # Where scikit-learn takes long, fewer than 10,000 rows were timed.
        few, *_, many = [*card["seconds"].items()] or [("", {}), ("-", {})]
        times = [*_milliseconds(few[1]), f"{many[0]}", *_milliseconds(many[1])]
        served = "ONNX Runtime" if card["used"] else f"scikit-learn: {card['why']}"
        apart = f"{card['difference']:.1g}" if card["seconds"] else "-"
        lines.append(f"| {name} | {served} | {' | '.join(times)} | {apart} |")
    return lines


def _milliseconds(took: dict[str, float]) -> list[str]:
    return [f"{1000 * took[form]:.3g}" if took else "-" for form in ("original", "compiled")]


def _fork() -> Path:
    folder = WORK / "forks" / "compiling"
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("saved_models", "__pycache__")
    shutil.copytree(tables.ROOT / "ML", folder / "ML", ignore=ignored)
    tables.write()
    return folder


def _trained(python: Path, folder: Path, model: str, target: str) -> Any:
    store = folder / "ML" / "saved_models"
    environment = {**os.environ, "MODELS_DIR": str(store), "LOG_LEVEL": "warning"}
    table = tables.FOLDER / "mixed_train.csv"
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[target]]
    complete = folder / "complete.csv"
    with complete.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    command: list[str | Path] = [python, "-m", "ML.training", model, complete, target, "--force"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    newest = max((store / model).glob("[0-9]*"), key=lambda version: int(version.name))
    return json.loads((newest / "card.json").read_text())["compiled"]
