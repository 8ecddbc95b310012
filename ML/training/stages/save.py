"""Saves the fitted model, and proves that the file predicts what the fitted model predicts."""

from dataclasses import replace
from typing import Any

import numpy as np

from ML.prediction import arrays, predictor
from ML.prediction.answers import CannotPredict, same
from ML.prediction.predictor import Predictor
from ML.training.stages import gaps
from ML.training.stages.fit import CannotFit
from ML.training.stages.job import Job
from ML.versions import files, model_file

MAX_ROWS = 1000
"""Rows that the fitted model and the saved one are compared on."""
MAX_SINGLE_ROWS = 20
"""Rows that are also predicted one by one."""


def save(job: Job) -> Job:
    """Write the model into the version's folder and load it back. Raise CannotFit and Untrusted."""
    job = _with_checks(_with_answers(job))
    file, sha256 = model_file.save(job.model, files.folder(job.card.model, job.card.version))
    job = job.on_card(file=file, sha256=sha256)
    loaded, X = _load(job), job.X.iloc[:MAX_ROWS]
    answers = _answers(loaded, X)
    if not same(answers, _answers(predictor.make(job.card, job.model), X)):
        raise CannotFit(
            "The saved model does not predict what the fitted one predicts. Does it predict at random without a "
            "random_state, or does it have state that can't be saved?"
        )
    job = _with_batched(job, loaded, answers)
    return _with_saved(job, loaded, answers)


def _with_answers(job: Job) -> Job:
    """Put on the card what the model can answer: probabilities, its order of the classes, rows with gaps."""
    job, model = job.on_card(probabilities=hasattr(job.model, "predict_proba")), job.model
    if job.target.task == "classification" and hasattr(model, "classes_"):
        classes = tuple(job.target.from_model(np.asarray(model.classes_)))
        job = job.on_card(target=job.target.model_copy(update={"classes": classes}))
    columns = gaps.learn(predictor.make(job.card, model), job.X)
    return job.on_card(features=job.schema.model_copy(update={"columns": columns}))


def _with_checks(job: Job) -> Job:
    """Put the answers for the synthetic check rows on the card, unless the model can't predict those."""
    try:
        return job.on_card(checks=predictor.make(job.card, job.model).check_answers())
    except CannotPredict:  # such as an encoder that refuses a word it has not seen
        return job.on_card("the model can't predict synthetic rows, so no check rows are replayed at load time")


def _with_batched(job: Job, loaded: Predictor, answers: list[Any]) -> Job:
    """Put on the card whether a row's answer is the same alone and among others."""
    for row in range(min(len(job.X), MAX_SINGLE_ROWS)):
        alone = _answers(loaded, job.X.iloc[row : row + 1])
        if not same(alone, [part and part[row : row + 1] for part in answers]):
            note = "a row's answer depends on the rows beside it, so each request is predicted by itself"
            return job.on_card(note, batched=False)
    return job.on_card(batched=True)


def _with_saved(job: Job, loaded: Predictor, answers: list[Any]) -> Job:
    """Put on the card whether the model takes arrays, and hand on the model as it will be served."""
    arrays.strip_feature_names(loaded.model)
    X = job.X.iloc[:MAX_ROWS]
    nameless = arrays.suits(loaded.model, loaded.schema, X) and same(_answers(loaded, X.to_numpy()), answers)
    job = job.on_card(nameless=nameless)
    # Without its names the loaded model can't be served with tables any more.
    return replace(job, saved=predictor.make(job.card, loaded.model) if nameless else _load(job))


def _load(job: Job) -> Predictor:
    path = files.folder(job.card.model, job.card.version) / job.card.file
    return predictor.make(job.card, model_file.load(path, job.card.sha256))


def _answers(model: Predictor, X: Any) -> list[Any]:
    """Return the predictions and the probabilities, None if it has none, for a table or an array of rows."""
    answer = model.predict(X, model.card.probabilities)
    return [answer.predictions, answer.probabilities]
