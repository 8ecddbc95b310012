"""Commands to try on the default model, with its own columns."""

import json
import re
import shlex

from ML.config.config import Settings
from ML.errors import Problem
from ML.versions import store
from ML.versions.card import Card
from rest_api.startup import samples
from rest_api.startup.samples import Sample

MOST_CHARACTERS = 2000
"""Longest row to print. For a longer one, the command asks the server for it."""

YOURS = Sample("TABLE.csv", "TABLE.csv", "TARGET")
"""What to print where no sample suits."""


def of_model(model: str, curl: str, url: str, settings: Settings) -> list[str]:
    """Return a heading and curl commands for the live version, or how to get one. `curl` holds the credentials."""
    try:
        return _of_model(model, curl, url, settings)
    except Problem as error:
        return [f"{model} can't be served: {error}"]
    except OSError as error:
        return [f"{model} can't be served: {error}. Make the store readable for this user, or set MODELS_DIR."]


def _of_model(model: str, curl: str, url: str, settings: Settings) -> list[str]:
    card = store.live(model) if store.current(model) is not None else None
    if card and card.features:
        return _of_version(card, curl, url, settings.training)
    if reason := _no_training(settings):
        return [f"No version of {model} is live: {reason}"]
    sample = samples.of_model(model) or YOURS
    yours = "; TABLE.csv stands for your file, TARGET for the column to predict" if sample is YOURS else ""
    return [
        f"No version of {model} is live yet. Train one{yours}:",
        f"{curl} {_fields(sample.train, sample)} {url}/train_model",
    ]


def _no_training(settings: Settings) -> str | None:
    """Return why this server can't train a version either, and what to do."""
    folder = settings.models_dir
    if folder.exists() and not folder.is_dir():
        return f"{folder} is not a folder. Set MODELS_DIR to one."
    if settings.training:
        return None
    store = "has none" if folder.is_dir() else "does not exist"
    return f"{folder} {store}, and TRAINING is off. Set MODELS_DIR to a store with versions, or set TRAINING=on."


def _of_version(card: Card, curl: str, url: str, training: bool) -> list[str]:
    target = card.target_variable if card.target_variable.isprintable() else YOURS.target
    sample = samples.of_version(card) or Sample(YOURS.train, YOURS.test, target)
    yours = " (TABLE.csv stands for yours)" if sample.train == YOURS.train else ""
    lines = [
        f"{'Train, predict' if training else 'Predict'} a file{yours}, predict a row:",
        f"{curl} {_fields(sample.train, sample)} {url}/train_model",
        f"{curl} {_fields(sample.test, sample)} {url}/get_prediction",
        _row(card, curl, url),
    ]
    return lines if training else [lines[0], *lines[2:]]


def _fields(file: str, sample: Sample) -> str:
    """Return curl's options for the fields of the form. `-F` gives a meaning to some characters of a value."""
    option = "-F" if re.match(r"[\w ]", sample.target) and ";" not in sample.target else "--form-string"
    return f"-F {shlex.quote(f'csv_file=@{file}')} {option} {shlex.quote(f'target_variable={sample.target}')}"


def _row(card: Card, curl: str, url: str) -> str:
    rows = card.features.examples() if card.features else []
    text = json.dumps({"instances": rows[:1]}, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps({"instances": rows[:1]})
    if not rows or len(text) > MOST_CHARACTERS:
        return f"{curl} {url}/models/{card.model}  # has an example row for POST {url}/predict"
    return f"{curl} -H 'Content-Type: application/json' -d {shlex.quote(text)} {url}/predict"
