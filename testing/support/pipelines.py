"""Pipelines of scikit-learn's common transformers and estimators, and a comparison of their predictions."""

import warnings

import numpy as np
from fitted_models import fit_model
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
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
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

from ML.prediction.answers import CannotPredict

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
        return fit_model(*arguments)


def same_answers(want, have):
    """Return whether labels are equal and numbers within 1e-9 of each other, relatively. None stands for NaN."""
    if want is None or isinstance(want[0], str | bool | int):
        return want == have
    return np.allclose(np.array(want, float), np.array(have, float), rtol=1e-9, atol=1e-12, equal_nan=True)


def predict_or_none(model, rows):
    """Return predictions and probabilities, or None twice if the model refuses the rows."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = model.predict(model.table(rows), model.card.probabilities)
        except CannotPredict:
            return None, None
    return found.predictions, found.probabilities
