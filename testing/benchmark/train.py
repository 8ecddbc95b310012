"""Run by each environment's own Python: fits an estimator of estimators/ for the peers, and says what it answers.

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
    """Writes the models, and expected.json: scikit-learn's own answers to the rows of the test table.

    model.pkl learned from an array where all features are numbers, as predicting from one is fastest; framed.pkl always
    from a DataFrame.
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
    """Features and target; numbers as float64, text as str, as fast-ml has them."""
    table = pd.read_csv(path)
    y = table.pop(target).to_numpy(object)
    return table.astype({name: "float64" if table[name].dtype.kind in "if" else object for name in table}), y


def plain(X: pd.DataFrame):
    """An array, where all features are numbers."""
    return X.to_numpy() if all(dtype.kind == "f" for dtype in X.dtypes) else X


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
