"""Well-known tables, with text, missing values and dates: trained, predicted, rolled back."""

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pandas as pd
import pytest
from server import Server
from sklearn import datasets

from ML.prediction.answers import same

VEGA = Path(str(resources.files("vega_datasets"))) / "_data"
PENGUINS = Path(str(resources.files("palmerpenguins"))) / "data"


def of_sklearn(name: str) -> pd.DataFrame:
    return getattr(datasets, f"load_{name}")(as_frame=True).frame


def of_cars() -> pd.DataFrame:
    """Return a table with text, missing values, and dates as text."""
    cars = pd.DataFrame(json.loads((VEGA / "cars.json").read_text()))
    return cars[cars["Miles_per_Gallon"].notna()]


TABLES: dict[str, tuple[Callable[[], pd.DataFrame], str, str, float]] = {
    "wine": (lambda: of_sklearn("wine"), "target", "classifier", 0.85),
    "breast cancer": (lambda: of_sklearn("breast_cancer"), "target", "classifier", 0.9),
    "diabetes": (lambda: of_sklearn("diabetes"), "target", "regressor", 0.2),
    "cars' origin": (of_cars, "Origin", "classifier", 0.8),
    "cars' consumption": (of_cars, "Miles_per_Gallon", "regressor", 0.7),
    "penguins' species": (lambda: pd.read_csv(PENGUINS / "penguins.csv"), "species", "classifier", 0.9),
    "penguins, raw": (lambda: pd.read_csv(PENGUINS / "penguins-raw.csv"), "Species", "classifier", 0.9),
    "weather in Seattle": (lambda: pd.read_csv(VEGA / "seattle-weather.csv"), "weather", "classifier", 0.6),
}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start a server of its own, because these tests roll back."""
    return serve(coverage=False)


@pytest.mark.parametrize(("load", "target", "model", "least"), TABLES.values(), ids=TABLES)
def test_a_table_is_trained_predicted_back_and_rolled_back(
    server: Server, load: Callable[[], pd.DataFrame], target: str, model: str, least: float
) -> None:
    table = load()
    csv = table.to_csv(index=False)
    before = server.client.get(f"/models/{model}").json()["live"]["version"]
    trained = server.train(csv, target, model=model)
    assert trained.status_code == 200, trained.text
    assert next(iter(trained.json()["metrics"].values())) > least, trained.json()["metrics"]
    answer = server.predict_csv(csv, model=model).json()
    assert (answer["rows"], answer["ignored_columns"]) == (len(table), [])
    assert answer.get("accuracy", answer.get("r2")) > least
    rows = table.drop(columns=target).head(20)
    instances = [{k: None if pd.isna(v) else v for k, v in row.items()} for row in rows.to_dict("records")]
    by_json = server.predict(adapted(server, model, instances), model=model)
    assert by_json.status_code == 200, by_json.text
    assert same(by_json.json()["predictions"], answer["predictions"][:20])
    back = server.client.put(f"/models/{model}/current", json={"version": before}).json()
    assert (back["version"], back["live"]) == (before, True)


def adapted(server: Server, model: str, instances: list[dict]) -> list[dict]:
    """Return the rows without the columns that are empty in the whole table."""
    columns = server.client.get(f"/models/{model}").json()["live"]["features"]["columns"]
    return [{column["name"]: row[column["name"]] for column in columns} for row in instances]
