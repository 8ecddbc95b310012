"""Copies of the project, changed as its users change them, and the training command."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from exclusive import common, locked
from server import measured

PLAIN = '''
class Plain:
    """Has only fit and predict, and learns one answer."""
    def fit(self, X, y):
        self.answer = {answer}
    def predict(self, X):
        return [self.answer] * len(X)

def build(): return Plain()
def score(model, X, y): return {{"share": sum(p == t for p, t in zip(model.predict(X), y)) / len(y)}}
'''
MAJORITY, MEAN = "max(set(y.tolist()), key=y.tolist().count)", "float(sum(y) / len(y))"
LINEAR = """
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
def build(): return LinearRegression()
def score(model, X, y): return {"r2": r2_score(y, model.predict(X))}
"""
SLOW = """
import time
class Slow:
    def fit(self, X, y):
        time.sleep(float(X["seconds"].iloc[0]))
        self.answer = max(set(y.tolist()), key=y.tolist().count)
    def predict(self, X): return [self.answer] * len(X)
def build(): return Slow()
def score(model, X, y): return {"share": sum(p == t for p, t in zip(model.predict(X), y)) / len(y)}
"""
FAILS = PLAIN.format(answer="1 / 0")
ONE_HOT = """
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
def build():
    return make_pipeline(ColumnTransformer([("town", OneHotEncoder(), ["town"])]), LogisticRegression())
def score(model, X, y): return {"accuracy": model.score(X, y)}
"""
FOREIGN = """
from fractions import Fraction
class Model:
    def fit(self, X, y): self.answer, self.x = y[0], Fraction(1, 3)
    def predict(self, X): return [self.answer] * len(X)
def build(): return Model()
def score(model, X, y): return {"x": float(model.x)}
"""


def table(rows=60, target=lambda i: "ab"[i % 2]):
    return "x,y\n" + "".join(f"{i},{target(i)}\n" for i in range(rows))


class Project:
    """A copy of the project with its own store."""

    def __init__(self, folder):
        self.folder, self.store = folder, folder / "store"

    def command(self, *arguments, **environment):
        command = [sys.executable, "-W", "error", "-m", "ML.training", *arguments]
        environment = {**os.environ, "MODELS_DIR": str(self.store), **environment}
        environment |= measured(environment.pop("COVERAGE_PROCESS_CONFIG", None))
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def train(self, model, csv, **environment):
        (self.folder / "table.csv").write_text(csv)
        return self.command(model, "table.csv", "y", **environment)

    def add_version(self):
        """Add version 1 of the classifier, as a training makes it. It is trained once and then copied."""
        saved = common() / "classifier"
        with locked(common() / "classifier.lock"):
            if not saved.exists():
                trained = self.train("classifier", table())
                assert trained.returncode == 0, trained.stderr
                shutil.copytree(self.store / "classifier", saved)
                return
        shutil.copytree(saved, self.store / "classifier")

    def card(self, model, version):
        return json.loads((self.store / model / str(version) / "card.json").read_text())

    def live(self, model="classifier"):
        pointer = self.store / model / "current"
        return int(pointer.read_text()) if pointer.exists() else None


@pytest.fixture
def project(fork):
    """Make a copy that has only the classifier and these models, so that fewer samples are trained."""

    def make(**estimators):
        folder = fork(**estimators)
        if "regressor" not in estimators:
            (folder / "ML" / "src" / "regressor.py").unlink()
        return Project(folder)

    return make
