"""Fits an estimator of estimators/ for the peers, and writes its predictions. Run with each environment's Python.

python train.py estimators/svc.py TABLES OUT
"""

import importlib.util
import json
import pickle
import sys
from pathlib import Path

import pandas as pd
from sklearn.metrics import accuracy_score


def main(source: Path, tables: Path, out: Path) -> None:
    """Write model.pkl, framed.pkl and expected.json, scikit-learn's predictions for the test table.

    model.pkl is fitted on an array if all features are numbers, as predicting from one is fastest; framed.pkl always on
    a DataFrame.
    """
    spec = importlib.util.spec_from_file_location(source.stem, source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    name, target = module.SAMPLE
    X, y = read(tables / name, target)
    framed, model = module.build().fit(X, y), module.build().fit(plain(X), y)
    X, y = read(tables / name.replace("_train", "_test"), target)
    answers = framed.predict(X)
    assert answers.tolist() == model.predict(plain(X)).tolist()
    accuracy = f"Test accuracy : {100 * accuracy_score(y, answers):.2f} %"
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.pkl").write_bytes(pickle.dumps(model))
    (out / "framed.pkl").write_bytes(pickle.dumps(framed))
    (out / "expected.json").write_text(json.dumps({"labels": answers.tolist(), "accuracy": accuracy}))


def read(path: Path, target: str):
    """Return features and target of a CSV file: numbers as float64, text as str, as in fast-ml."""
    table = pd.read_csv(path)
    y = table.pop(target).to_numpy(object)
    return table.astype({name: "float64" if table[name].dtype.kind in "if" else object for name in table}), y


def plain(X: pd.DataFrame):
    """Return an array if all features are numbers, else the DataFrame."""
    return X.to_numpy() if all(dtype.kind == "f" for dtype in X.dtypes) else X


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
