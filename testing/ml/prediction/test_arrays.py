"""Models that accept arrays are served with arrays, others with their table. Both predict like scikit-learn."""

from collections.abc import Callable
from pathlib import Path

import pytest
from server import ROOT, Server
from sklearn.datasets import load_iris

SOURCE = """
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def build():
    return {model}


def score(model, X, y):
    return {{"accuracy": model.score(X, y)}}
"""
MODELS = {
    "svc": ("SVC()", True),
    "scaled": ("make_pipeline(StandardScaler(), LogisticRegression())", True),
    "voting": ("VotingClassifier([('a', SVC()), ('b', make_pipeline(StandardScaler(), SVC()))])", True),
    "named": (
        "make_pipeline(ColumnTransformer([('a', StandardScaler(), ['petal_length', 'petal_width'])]), SVC())",
        False,
    ),
}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    """Start a server with these models. Warnings are errors."""
    project = fork(**{name: SOURCE.format(model=model) for name, (model, _) in MODELS.items()})
    return serve(project, BOOTSTRAP="false", WEB_CONCURRENCY="1", HOLDOUT="0.000000001")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_answers_like_scikit_learn(server: Server, name: str) -> None:
    table = (ROOT / "ML" / "data" / "full.csv").read_text()
    trained = server.train(table, "species", model=name)
    assert trained.status_code == 200, trained.text
    assert server.client.get(f"/models/{name}").json()["live"]["nameless"] is MODELS[name][1]
    X, y = load_iris(return_X_y=True, as_frame=True)
    X.columns = table.split("\n")[0].split(",")[:-1]
    scope: dict = {}
    exec(SOURCE.format(model=MODELS[name][0]), scope)
    truth = scope["build"]().fit(X, load_iris().target_names[y]).predict(X).tolist()
    assert server.predict(X.to_dict("records"), model=name).json()["predictions"] == truth
    assert server.predict(X.to_numpy().tolist(), model=name).json()["predictions"] == truth
    assert server.predict_csv(table, model=name).json()["predictions"] == truth
