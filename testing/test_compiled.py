"""Compiled models answer like scikit-learn: common transformers and estimators, over tables of every make."""

import warnings

import numpy as np
import pytest
from fitted import fitted, people
from hypothesis import given, reject
from hypothesis import strategies as st
from made_up import examples, tables
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ML.compiled import compiling
from ML.compiled.graph import Unsupported
from ML.predictor import CannotPredict
from ML.src import classifier, regressor
from ML.src._boosting import encoder

NUMBERS = make_column_selector(dtype_include="number")
WORDS = make_column_selector(dtype_exclude="number")
HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def mixed(numbers, words):
    return make_column_transformer((numbers, NUMBERS), (words, WORDS))


def imputed(*steps):
    return make_pipeline(SimpleImputer(), *steps)


PREPARATIONS = {
    "scaled": lambda: mixed(imputed(StandardScaler()), make_pipeline(SimpleImputer(strategy="most_frequent"), HOT)),
    "robust": lambda: mixed(
        make_pipeline(SimpleImputer(strategy="median", add_indicator=True), RobustScaler()),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
    ),
    "clipped": lambda: mixed(
        imputed(MinMaxScaler(clip=True)),
        OneHotEncoder(drop="first", min_frequency=3, handle_unknown="infrequent_if_exist", sparse_output=False),
    ),
    "products": lambda: mixed(
        imputed(MaxAbsScaler(), PolynomialFeatures(3, interaction_only=True)),
        make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), HOT),
    ),
    "squares": lambda: mixed(imputed(StandardScaler(), PolynomialFeatures(2, include_bias=False)), "drop"),
    "components": lambda: make_pipeline(
        mixed(imputed(StandardScaler()), OneHotEncoder(sparse_output=False)), PCA(2, whiten=True)
    ),
    "both": lambda: mixed(
        imputed(make_union(StandardScaler(), make_pipeline(Normalizer(), TruncatedSVD(1)), FunctionTransformer())), HOT
    ),
    "targets": lambda: mixed(imputed(), TargetEncoder(target_type="continuous")),
    "chosen": lambda: make_pipeline(
        mixed(
            imputed(MinMaxScaler((-1, 1))),
            OneHotEncoder(max_categories=2, handle_unknown="ignore", sparse_output=False),
        ),
        VarianceThreshold(1e-9),
        SelectKBest(k=1),
    ),
}
CLASSIFIERS = {
    "hist": lambda: HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=5),
    "forest": lambda: RandomForestClassifier(8, random_state=0),
    "shallow": lambda: RandomForestClassifier(7, max_depth=3, random_state=0),
    "extra": lambda: ExtraTreesClassifier(6, max_depth=4, random_state=0),
    "gradient": lambda: GradientBoostingClassifier(n_estimators=8),
    "tree": lambda: DecisionTreeClassifier(max_depth=4),
    "logistic": lambda: LogisticRegression(max_iter=50),
    "svc": lambda: SVC(),
    "svc poly": lambda: SVC(kernel="poly", degree=2, coef0=1.0),
    "svc sigmoid": lambda: NuSVC(kernel="sigmoid", nu=0.1),
    "svc linear": lambda: SVC(kernel="linear", max_iter=500),
    "linear svc": lambda: LinearSVC(max_iter=200),
    "sgd": lambda: SGDClassifier(random_state=0),
    "sgd log": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "perceptron": lambda: Perceptron(),
    "ridge": lambda: RidgeClassifier(),
    "discriminant": lambda: LinearDiscriminantAnalysis(),
    "bayes": lambda: GaussianNB(),
    "network": lambda: MLPClassifier((6, 5), activation="logistic", max_iter=20, random_state=0),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
}
REGRESSORS = {
    "hist": lambda: HistGradientBoostingRegressor(max_iter=15, min_samples_leaf=5),
    "forest": lambda: RandomForestRegressor(8, random_state=0),
    "extra": lambda: ExtraTreesRegressor(6, random_state=0),
    "gradient": lambda: GradientBoostingRegressor(n_estimators=8),
    "tree": lambda: DecisionTreeRegressor(),
    "linear": lambda: LinearRegression(),
    "ridge": lambda: Ridge(),
    "lasso": lambda: Lasso(),
    "elastic": lambda: ElasticNet(),
    "bayes": lambda: BayesianRidge(),
    "huber": lambda: HuberRegressor(max_iter=500),
    "sgd": lambda: SGDRegressor(random_state=0),
    "svr": lambda: SVR(),
    "nusvr": lambda: NuSVR(kernel="poly"),
    "linear svr": lambda: LinearSVR(max_iter=200),
    "network": lambda: MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0),
}
EVERY = [
    (task, name) for task, found in (("classification", CLASSIFIERS), ("regression", REGRESSORS)) for name in found
]


def build(task, name):
    return (CLASSIFIERS if task == "classification" else REGRESSORS)[name]()


def fit(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn: few rows, few rounds
        return fitted(*arguments)


def alike(want, have):
    """Labels equal, numbers within 1e-9 of each other, relative; what is not finite is null."""
    if want is None or isinstance(want[0], str | bool | int):
        return want == have
    return np.allclose(np.array(want, float), np.array(have, float), rtol=1e-9, atol=1e-12, equal_nan=True)


def answered(model, rows):
    """Predictions and probabilities, None where it refuses."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = model.predict(model.table(rows), model.card.probabilities)
        except CannotPredict:
            return None, None
    return found.predictions, found.probabilities


@pytest.mark.parametrize(
    ("task", "name", "classes"),
    [(task, name, classes) for task, name in EVERY for classes in ((0,) if task == "regression" else (2, 4))],
)
def test_an_estimator_is_compiled_and_proven_on_a_mixed_table(task, name, classes):
    table = people(classes=classes)
    # Some learn nothing from columns that depend on each other.
    prepared = PREPARATIONS["components" if name in ("discriminant", "bayes") else "scaled"]()
    found = fit(make_pipeline(prepared, build(task, name)), table, task)
    assert found.proven().rows > 1500


@pytest.mark.parametrize("name", PREPARATIONS)
@pytest.mark.parametrize("estimator", ["forest", "ridge"])
def test_a_preparation_is_compiled_and_proven_on_a_mixed_table(name, estimator):
    for task in ("classification", "regression"):
        table = people(classes=2 if task == "classification" else 0)
        if name == "targets":
            table["y"] = [str("abcdef".find(y[0])) for y in table["y"]] if task == "classification" else table["y"]
        found = fit(make_pipeline(PREPARATIONS[name](), build(task, estimator)), table, task)
        assert found.proven().rows > 1500


@pytest.mark.alone
@pytest.mark.parametrize("module", [classifier, regressor])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_default_models_are_served_compiled(module, classes, tmp_path):
    task = "classification" if module is classifier else "regression"
    found = fit(module.build(), people(300, classes if task == "classification" else 0), task)
    entry = found.published(tmp_path)
    assert entry.used and not entry.why and entry.difference < 1e-9
    assert entry.rows > 2000 and (tmp_path / entry.file).stat().st_size
    assert entry.seconds["1"]["compiled"] < entry.seconds["1"]["original"] / 20


def test_regressors_with_a_link_are_compiled():
    table = people(classes=0)
    table["y"] = [str(abs(float(y))) for y in table["y"]]
    for model in (PoissonRegressor(), HistGradientBoostingRegressor(loss="poisson", max_iter=10)):
        assert fit(make_pipeline(PREPARATIONS["scaled"](), model), table, "regression").proven().rows > 1500


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: KNeighborsClassifier(), "KNeighborsClassifier has no compiled form"),
        (lambda: VotingClassifier([("a", SVC())]), "VotingClassifier has no compiled form"),
        (lambda: make_pipeline(FunctionTransformer(np.abs), SVC()), "FunctionTransformer with a function"),
        (lambda: SVC(kernel=lambda a, b: a @ b.T), "SVC with such a kernel"),
        (lambda: HistGradientBoostingClassifier(categorical_features=[0]), "categorical_features"),
        (lambda: GradientBoostingClassifier(init=LogisticRegression()), "init estimator"),
    ],
)
def test_what_has_no_compiled_form_says_so_in_a_sentence(model, said, tmp_path):
    entry = fit(make_pipeline(PREPARATIONS["scaled"](), model()), people(classes=2), "classification").published(
        tmp_path
    )
    assert not entry.used and said in entry.why and not list(tmp_path.iterdir())


class Rounding(LinearRegression):
    """Answers otherwise than the class that it comes from."""

    def predict(self, X):
        return super().predict(X).round()


class Passing(StandardScaler):
    """Learns nothing of what the class learns that it comes from."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X, copy=None):
        return X


def test_a_class_that_answers_otherwise_than_its_parent_is_served_by_scikit_learn_and_noted(tmp_path):
    found = fit(make_pipeline(PREPARATIONS["scaled"](), Rounding()), people(classes=0), "regression")
    entry = found.published(tmp_path)
    assert not entry.used and "rows of the training get answers that differ by" in entry.why
    assert found.original.card.notes == [f"it is not served compiled: {entry.why}"]
    assert not list(tmp_path.iterdir())


def test_a_converter_that_fails_does_not_fail_the_training(tmp_path):
    model = make_pipeline(mixed(imputed(), "drop"), Passing(), LinearRegression())
    entry = fit(model, people(classes=0), "regression").published(tmp_path)
    assert not entry.used and entry.why.startswith("It could not be compiled: AttributeError: ")
    assert not list(tmp_path.iterdir())


def test_what_is_slower_with_any_number_of_rows_is_not_used():
    faster, slower = {"original": 2.0, "compiled": 1.0}, {"original": 1.0, "compiled": 1.2}
    assert compiling.slower({"1": faster, "10000": faster}) == ""
    said = compiling.slower({"1": faster, "10000": slower})
    assert said == "It is slower: 10000 rows take 1.2 s compiled and 1.0 s as they are"


def test_text_that_meets_numbers_is_unsupported():
    found = fit(DecisionTreeClassifier(), {"n": [str(i) for i in range(20)], "y": ["a", "b"] * 10}, "classification")
    found.original.card.features = fit(
        encoder_only(), {"n": ["x", "y"] * 10, "y": ["a", "b"] * 10}, "classification"
    ).original.schema
    with pytest.raises(Unsupported, match="The text of n is not encoded"):
        found.converted()


def encoder_only():
    return make_pipeline(encoder(), DecisionTreeClassifier())


def test_a_value_that_the_encoder_refuses_is_refused_and_named():
    model = make_pipeline(mixed(imputed(), OneHotEncoder()), LogisticRegression(max_iter=20))
    found = fit(model, people(classes=2), "classification")
    made, _ = found.converted()
    row = [[value] for value in found.X.iloc[0].tolist()]
    (labels, shares), (labels_of_original, shares_of_original) = answered(made, row), answered(found.original, row)
    assert labels == labels_of_original is not None and alike(shares, shares_of_original)
    row[5] = ["Atlantis"]
    with pytest.raises(CannotPredict, match="a value of town, grade is none that it has seen"):
        made.predict(made.table(row))


@pytest.mark.parametrize("number", [1e39, -1e39, 1e308])
def test_a_number_that_float32_can_not_hold_is_refused_where_scikit_learn_refuses_it(number):
    found = fit(make_pipeline(encoder(), RandomForestClassifier(3)), people(), "classification")
    made, _ = found.converted()
    row = [[value] for value in found.X.iloc[0].tolist()]
    row[1] = [number]
    assert answered(found.original, row) == answered(made, row) == (None, None)


def test_many_rows_are_answered_in_pieces_as_one_by_one():
    found = fit(make_pipeline(PREPARATIONS["scaled"](), SVC()), people(), "classification")
    made, _ = found.converted()
    rows = [column * 20 for column in found.X.T.to_numpy().tolist()]
    answer = made.predict(made.table(rows)).predictions
    assert len(answer) == 2400 and answer == answer[:120] * 20 == answered(found.original, rows)[0]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("task", ["classification", "regression"])
@examples(120, 12)
@given(st.data())
def test_a_random_pipeline_over_a_random_table_answers_like_scikit_learn_or_is_not_used(tmp_path, task, data):
    """The table is odd on purpose: what differs by rounding alone may be refused by the proof, but never be served."""
    table = data.draw(tables("classifier" if task == "classification" else "regressor"))
    names = [name for each, name in EVERY if each == task]
    prepared = data.draw(st.sampled_from(sorted(PREPARATIONS)))
    model = make_pipeline(PREPARATIONS[prepared](), build(task, data.draw(st.sampled_from(names))))
    try:
        found = fit(model, table, task)
    except (ValueError, TypeError, np.linalg.LinAlgError):
        reject()
    entry = found.published(tmp_path)
    assert entry.used or entry.why
    if not entry.used:
        return
    made, _ = found.converted()
    other = data.draw(tables("classifier" if task == "classification" else "regressor"))
    for rows in (found.X, found.X.sample(frac=1, random_state=1)):
        columns = [rows.iloc[:, place].tolist() for place in range(rows.shape[1])]
        for place, column in enumerate(found.original.schema.columns):
            if column.kind == "number" and "n" in other:
                columns[place] = [float(value) * 1.7 for value in other["n"]][: len(rows)]
                columns[place] += rows.iloc[len(columns[place]) :, place].tolist()
        for want, have in zip(answered(found.original, columns), answered(made, columns), strict=True):
            assert alike(want, have)
