"""The text that a start prints: addresses, password and commands."""

import json
import shlex
from datetime import UTC, datetime

import pytest

from ML.config.config import Settings
from ML.schema.schema import Column, Schema
from ML.versions import store
from ML.versions.card import Card
from rest_api.startup.banner import banner


@pytest.fixture
def live(monkeypatch):
    """Makes a version live whose columns have these examples: `live(target, x=1.5)`."""

    def make(target="species", **examples):
        columns = tuple(Column(name=name, kind="number", examples=(value,)) for name, value in examples.items())
        card = Card(
            model="classifier", version=3, origin="upload", target_variable=target, created=datetime.now(UTC),
            features=Schema(columns=columns),
        )  # fmt: skip
        monkeypatch.setattr(store, "current", lambda _model: 3)
        monkeypatch.setattr(store, "live", lambda _model: card)

    return make


def curls(text):
    return [shlex.split(line) for line in text.splitlines() if line.startswith("curl ")]


def read(*listeners, **settings):
    return banner(listeners or ["http://127.0.0.1:8000"], Settings(service_pass="secret", **settings))


@pytest.mark.parametrize(
    ("listener", "url"),
    [
        ("http://127.0.0.1:54321", "http://127.0.0.1:54321"),
        ("http://0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://[::]:8000", "http://[::1]:8000"),
        ("https://0.0.0.0:443", "https://127.0.0.1:443"),
    ],
)
def test_the_address_is_one_that_a_client_on_this_machine_can_use(live, listener, url):
    live(x=1.5)
    text = read(listener)
    assert f"Serving   {url}\nDocs      {url}/docs\n" in text
    assert all(line[-1].startswith(f"{url}/") for line in curls(text))


def test_commands_for_a_unix_socket_name_it(live):
    live(x=1.5)
    text = read("unix:/run/a b.sock")
    assert "Serving   unix:/run/a b.sock\nUser " in text
    assert all(line[1:3] == ["--unix-socket", "/run/a b.sock"] for line in curls(text))


def test_every_listener_is_named():
    assert "Serving   http://127.0.0.1:80 unix:/run/ml.sock\n" in read("http://0.0.0.0:80", "unix:/run/ml.sock")


def test_the_row_has_the_columns_of_the_live_version(live):
    live("y", x=1.5, town=2)
    train, table, row = curls(read())
    assert json.loads(row[row.index("-d") + 1]) == {"instances": [{"x": 1.5, "town": 2}]}
    assert "csv_file=@TABLE.csv" in train and "target_variable=y" in table and "TABLE.csv stands for yours" in read()


def test_the_sample_is_named_where_it_suits_the_live_version(live):
    live(sepal_length=5.8, petal_length=4.3)
    train, table, _ = curls(read())
    assert "csv_file=@ML/data/train.csv" in train and "csv_file=@ML/data/test.csv" in table


@pytest.mark.parametrize("target", ["@home", "<b", "a;type=b", "größe in cm", "a'b"])
def test_a_target_is_safe_for_shell_and_curl(live, target):
    live(target, x=1.5)
    train, *_ = curls(read())
    option = train[train.index(f"target_variable={target}") - 1]
    assert option == ("-F" if target in ("größe in cm", "a'b") else "--form-string")


def test_control_characters_of_a_column_are_escaped(live):
    live(**{"a\x1b[2J\x85b": 1.5})
    assert all(line.isprintable() for line in read().splitlines())


def test_a_very_long_row_is_not_printed(live):
    live(**{f"column {i}": 1.5 for i in range(1000)})
    assert len(read()) < 2000 and "/models/classifier " in read()


def test_a_server_that_does_not_train_shows_no_training(live):
    live(x=1.5)
    assert len(curls(read(training=False))) == 2


def test_without_a_live_version_it_says_how_to_train(monkeypatch):
    monkeypatch.setattr(store, "current", lambda _model: None)
    assert "No version of classifier is live yet. Train one:\ncurl " in read()
    assert "csv_file=@ML/data/train.csv" in read() and "/train_model" in read()


def test_without_a_live_version_and_training_it_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "current", lambda _model: None)
    text = read(training=False, models_dir=tmp_path / "none")
    assert f"{tmp_path / 'none'} does not exist" in text and "Set MODELS_DIR" in text and not curls(text)


def test_a_store_that_can_not_be_read_does_not_stop_the_start(monkeypatch):
    def refuse(_model):
        raise PermissionError(13, "Permission denied", "/store/classifier/current")

    monkeypatch.setattr(store, "current", refuse)
    assert "classifier can't be served: " in read() and "set MODELS_DIR" in read()


def test_a_given_password_is_not_shown(live):
    live(x=1.5)
    assert "secret" not in read() and '-u admin:"$SERVICE_PASS"' in read()
