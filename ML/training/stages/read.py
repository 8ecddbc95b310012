"""Reads the uploaded table and learns its columns: what the features and the target are."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ML.config.config import settings
from ML.errors import Invalid
from ML.schema import schema_learning, target, target_learning
from ML.schema.schema import Schema
from ML.schema.target import Target
from ML.tables import reading
from ML.tables.csv_table import Table
from ML.training import estimators
from ML.training.stages.job import Job

MIN_ROWS = 10
"""With fewer rows, none can be held out for a score."""


def check(model: str, upload: bytes, target_variable: str) -> None:
    """Raise Invalid or TooLarge if the table or its target can't be trained on, without reading the features."""
    table, estimator = reading.read(upload, settings().max_body_bytes), estimators.load(model).build()
    target.check_target(table, target_variable)
    _learn_target(table.column(target_variable, settings().max_rows), target_variable, estimator)


def read(job: Job) -> Job:
    """Build the estimator and read the table. Raise Invalid and TooLarge."""
    model = job.estimator.build()
    table = reading.read(job.upload, settings().max_body_bytes)
    return _learn(replace(job, model=model, upload=b""), table)


def _learn(job: Job, table: Table) -> Job:
    name = job.card.target_variable
    target.check_target(table, name)
    columns = table.columns(settings().max_rows)
    labels = columns.pop(table.header.index(name))
    learned = _learn_target(labels, name, job.model)
    features, X = schema_learning.learn([column for column in table.header if column != name], columns)
    job = replace(job, X=X, y=learned.convert(labels))
    return job.on_card(*_notes(features, table), target=learned, features=features)


def _learn_target(labels: Sequence[str], name: str, model: Any) -> Target:
    if len(labels) < MIN_ROWS:
        message = f"the table has {len(labels)} rows; {MIN_ROWS} or more are needed, so that some can be held out"
        raise Invalid.at(type="too_few_rows", msg=message)
    return target_learning.learn(name, labels, estimators.task(model))


def _notes(features: Schema, table: Table) -> list[str]:
    empty = [f"the column {name} is empty and was ignored" for name in features.ignored]
    return empty + [f"{name} was ignored" for name in table.unnamed]
