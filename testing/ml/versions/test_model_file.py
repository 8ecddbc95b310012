"""Model files: which types are trusted, which are refused before any code runs, and what the settings change."""

import hashlib
import io
import json
import pickle
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from ML.config.config import settings
from ML.errors import Problem
from ML.training import estimators
from ML.versions import catalog, model_file

X, Y = np.arange(40.0).reshape(20, 2), np.array([0, 1] * 10)
RAN: list[str] = []


class Foreign:
    """A class that neither the project nor a trusted package defines."""

    def __init__(self):
        self.state = "some"

    def __setstate__(self, state):
        RAN.append("code of the file")
        self.__dict__.update(state)


@pytest.fixture
def configure(monkeypatch):
    """Return a function that changes settings for one test: `configure(ALLOW_JOBLIB="true")`."""

    def to(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield to
    monkeypatch.undo()
    settings.cache_clear()


def reload(model, folder):
    name, sha256 = model_file.save(model, folder)
    return model_file.load(folder / name, sha256)


def put(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name, hashlib.sha256(data).hexdigest()


def renamed(module, name):
    """Write a forged skops file whose object claims to be of another class."""
    source, target = zipfile.ZipFile(io.BytesIO(skops.io.dumps(SVC()))), io.BytesIO()
    state = json.loads(source.read("schema.json")) | {"__module__": module, "__class__": name}
    with zipfile.ZipFile(target, "w") as forged:
        for member in source.namelist():
            forged.writestr(member, json.dumps(state) if member == "schema.json" else source.read(member))
    return target.getvalue()


@pytest.mark.parametrize(
    "model",
    [
        SVC(),
        RandomForestClassifier(5),
        HistGradientBoostingClassifier(max_iter=5),
        make_pipeline(StandardScaler(), SVC()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_estimators_of_scikit_learn_come_back_as_they_were(model, tmp_path):
    model.fit(X, Y)
    assert (reload(model, tmp_path).predict(X) == model.predict(X)).all()
    assert [path.name for path in tmp_path.iterdir()] == [model_file.SKOPS]


def test_a_class_of_the_users_own_module_is_trusted(fork, tmp_path):
    source = "class Mine:\n    def __init__(self): self.helper = helper\ndef helper(x): return x\n"
    code = """if True:
        from pathlib import Path
        from ML.versions import model_file
        from ML.src import _own
        name, sha256 = model_file.save(_own.Mine(), Path())
        print(name, model_file.load(Path(name), sha256).helper(3))"""
    found = subprocess.check_output([sys.executable, "-c", code], cwd=fork(_own=source), text=True)
    assert found == "model.skops 3\n"


@pytest.mark.parametrize("model", [Foreign(), FunctionTransformer(Foreign)])
def test_a_type_of_another_package_is_not_saved_and_both_settings_are_named(model, tmp_path):
    with pytest.raises(
        model_file.Untrusted, match=r"Foreign.*name its types in TRUSTED_TYPES, or set ALLOW_JOBLIB=true"
    ):
        model_file.save(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_type_of_another_package_is_loaded_when_the_setting_names_it(configure, tmp_path):
    configure(TRUSTED_TYPES=f"other.Thing, {__name__}.Foreign")
    assert isinstance(reload(Foreign(), tmp_path), Foreign)
    assert RAN.pop()
    file = put(tmp_path, model_file.SKOPS, skops.io.dumps(Foreign()))
    configure(TRUSTED_TYPES="")
    with pytest.raises(model_file.Untrusted, match=r"types that are not trusted .*Foreign.*name them in TRUSTED_TYPES"):
        model_file.load(*file)
    assert not RAN


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("sklearn.x", "load"),
        ("sklearn.utils.validation", "joblib"),
        ("sklearn.utils.parallel", "Parallel_"),
        ("sklearn.datasets._base", "path"),
        ("sklearn.datasets._base", "Path"),
        ("sklearn", "show_versions"),
        ("sklearn..", "x"),
        ("ML.src.nothing", "Mine"),
        ("ML.src.classifier", "accuracy_score_"),
        ("ML.srcs.classifier", "build"),
        ("sklearn_evil", "SVC"),
    ],
)
def test_a_borrowed_name_is_refused_in_words(module, name, tmp_path):
    with pytest.raises(model_file.Untrusted, match="has types that are not trusted"):
        model_file.load(*put(tmp_path, model_file.SKOPS, renamed(module, name)))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"", lambda data: data[::-1]]
)
def test_a_file_that_is_not_the_published_one_is_refused(damage, tmp_path):
    name, sha256 = model_file.save(SVC().fit(X, Y), tmp_path)
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(model_file.Untrusted, match="SHA-256 differs; train again or roll back"):
        model_file.load(tmp_path / name, sha256)


def test_a_file_that_is_gone_is_a_problem_in_words(tmp_path):
    with pytest.raises(Problem, match=r"model.skops"):
        model_file.load(tmp_path / model_file.SKOPS, "0" * 64)


def test_a_pickle_is_never_executed_unasked(tmp_path):
    class Bomb:
        def __reduce__(self):
            return RAN.append, ("a pickle ran",)

    for name in (model_file.JOBLIB, model_file.SKOPS):
        with pytest.raises(Exception, match=r"is a pickle, which can run any code|not a zip file"):
            model_file.load(*put(tmp_path, name, pickle.dumps(Bomb())))
    assert not RAN


def test_joblib_saves_and_loads_if_the_setting_allows_it(configure, tmp_path):
    configure(ALLOW_JOBLIB="true")
    assert isinstance(reload(Foreign(), tmp_path), Foreign) and RAN.pop()
    assert isinstance(joblib.load(tmp_path / model_file.JOBLIB), Foreign) and RAN.pop()
    configure(ALLOW_JOBLIB="false")
    with pytest.raises(
        model_file.Untrusted, match="is a pickle, which can run any code; set ALLOW_JOBLIB=true if you trust it"
    ):
        model_file.load(tmp_path / model_file.JOBLIB, "")


def test_skops_is_used_even_if_joblib_is_allowed(configure, tmp_path):
    configure(ALLOW_JOBLIB="true")
    assert model_file.save(SVC(), tmp_path)[0] == model_file.SKOPS


def test_a_model_that_neither_can_save_gets_a_plain_message(configure, tmp_path):
    model = FunctionTransformer(lambda x: x)
    with pytest.raises(model_file.Untrusted, match="ALLOW_JOBLIB"):
        model_file.save(model, tmp_path)
    configure(ALLOW_JOBLIB="true")
    with pytest.raises(Problem, match="lambda"):
        model_file.save(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_default_estimators_are_trusted_as_they_are(tmp_path):
    for name in catalog.names():
        reload(estimators.load(name).build(), tmp_path)
