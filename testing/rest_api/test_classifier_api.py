"""Train and predict over HTTP, through the real server."""

import csv
import gzip
import io
import json
import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from server import ROOT, Server

TEST = ROOT / "ML" / "data" / "test.csv"


def table(rows: int, columns: Callable[[int], dict[str, Any]]) -> str:
    """Return CSV text of generated rows."""
    file = io.StringIO()
    made = [columns(i) for i in range(rows)]
    writer = csv.DictWriter(file, list(made[0]))
    writer.writeheader()
    writer.writerows(made)
    return file.getvalue()


def shop(i: int) -> dict[str, Any]:
    """Return a row with a column of every kind and a label that depends on it."""
    noise = random.Random(i)
    price, country = noise.randint(1, 100), noise.choice(["NA", "DE", "FR"])
    return {
        "zip": f"0{noise.randint(1000, 1009)}",
        "price": price if i % 7 else "",
        "sold": f"202{i % 4}-0{1 + i % 9}-1{i % 10}",
        "vip": noise.choice(["yes", "no"]),
        "sale": noise.choice([0, 1]),
        "country": country if i % 5 else "",
        "empty": "",
        "always": 3,
        "bought": "true" if price > 50 or country == "NA" else "false",
    }


@pytest.fixture(scope="module")
def shopping(server: Server) -> dict[str, Any]:
    """Return the answer to a training on a table with every kind of column."""
    answer = server.train(table(300, shop), "bought")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_seeds_flow_answers_as_it_did(server: Server, iris: str) -> None:
    trained = server.train(iris, "species").json()
    assert re.fullmatch(r"Train accuracy : \d+\.\d\d %", trained["output"])
    assert (trained["status"], trained["code"]) == ("Model training success", 200)
    predicted = server.predict_csv(TEST.read_bytes(), target_variable="species").json()
    assert re.fullmatch(r"Test accuracy : \d+\.\d\d %", predicted["output"])
    assert (predicted["status"], predicted["code"]) == ("Predictions are success", 200)
    assert predicted["accuracy"] > 0.9
    assert predicted["model_version"] == trained["version"]


def test_json_and_csv_give_the_same_predictions_in_any_column_order_and_with_extra_columns(
    server: Server, iris: str
) -> None:
    server.train(iris, "species")
    rows = list(csv.DictReader(TEST.read_text().splitlines()))
    instances = [{k: float(v) for k, v in reversed(row.items()) if k != "species"} | {"colour": "red"} for row in rows]
    by_json = server.predict(instances, probabilities=True).json()
    shuffled = table(len(rows), lambda i: {"colour": "red", **dict(reversed(rows[i].items()))})
    by_csv = server.predict_csv(shuffled, probabilities="true").json()
    arrays = server.predict([[float(v) for v in list(row.values())[:-1]] for row in rows]).json()
    assert by_json["predictions"] == by_csv["predictions"] == arrays["predictions"]
    assert by_json["ignored_columns"] == by_csv["ignored_columns"] == ["colour"]
    assert by_json["classes"] == by_csv["classes"] == ["setosa", "versicolor", "virginica"]
    for one, other in zip(by_json["probabilities"], by_csv["probabilities"], strict=True):
        assert one == pytest.approx(other, rel=1e-9)
        assert sum(one) == pytest.approx(1)


def test_every_kind_of_column_is_learned_and_answered(server: Server, shopping: dict[str, Any]) -> None:
    card = server.client.get(f"/models/classifier/versions/{shopping['version']}").json()
    kinds = {column["name"]: column["kind"] for column in card["features"]["columns"]}
    assert kinds == {"zip": "text", "price": "number", "sold": "date", "vip": "flag", "sale": "flag", "country": "text",
                     "always": "number"}  # fmt: skip
    assert card["features"]["ignored"] == ["empty"]
    assert any("empty" in note for note in shopping["notes"])
    row = {"zip": "01003", "price": None, "sold": "2021-05-05", "vip": True, "sale": 1, "country": "NA", "always": 3}
    answer = server.predict([row, row | {"vip": "yes", "sale": True, "country": None, "sold": None}])
    assert answer.status_code == 200, answer.text
    assert all(isinstance(label, bool) for label in answer.json()["predictions"])


def test_a_table_with_every_kind_gives_json_and_csv_the_same_answers(server: Server, shopping: dict[str, Any]) -> None:
    text = table(200, lambda i: shop(i + 1000))
    by_csv = server.predict_csv(text, probabilities="true").json()
    numbers = ("price", "sale", "always")
    instances = [
        {k: (float(v) if k in numbers and v else v or None) for k, v in row.items() if k != "bought"}
        for row in csv.DictReader(io.StringIO(text))
    ]
    by_json = server.predict(instances, probabilities=True).json()
    assert by_json["predictions"] == by_csv["predictions"]
    assert by_json["probabilities"] == [pytest.approx(row, rel=1e-9) for row in by_csv["probabilities"]]
    assert by_csv["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("labels", "kind"),
    [((3, 7), int), ((0, 1), int), (("true", "false"), bool), ((0.5, 1.5), float), (("a", "b"), str)],
)
def test_predictions_have_the_targets_own_type(server: Server, labels: tuple[Any, ...], kind: type) -> None:
    text = table(60, lambda i: {"target": labels[i % 2], "x": i % 2, "y": i})
    trained = server.train(text, "target")
    assert trained.status_code == 200, trained.text
    answer = server.predict_csv(text).json()
    assert {type(label) for label in answer["predictions"]} == {kind}
    assert answer["accuracy"] > 0.9
    assert set(answer["predictions"]) == {json.loads(str(v)) if kind is not str else v for v in labels}


def changed(text: str, how: str) -> bytes:
    """Return the same table as other programs write it."""
    if how == "gzip":
        return gzip.compress(text.encode())
    separators = {"semicolons": ";", "tabs": "\t"}
    text = text.replace("\r\n", "\n").replace(",", separators.get(how, ","))
    if how == "quotes":
        text = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines())
    return ("\ufeff" * (how == "bom") + text.replace("\n", "\r\n" if how == "crlf" else "\n")).encode()


@pytest.mark.parametrize("how", ["bom", "crlf", "semicolons", "tabs", "gzip", "quotes"])
def test_any_sensible_csv_is_the_same_table(server: Server, iris: str, how: str) -> None:
    trained = server.train(changed(iris, how), "species").json()
    assert sum(trained["rows"].values()) == 105, trained
    plain = server.predict_csv(iris).json()
    assert server.predict_csv(changed(iris, how)).json() == plain
    assert plain["accuracy"] > 0.9


def test_the_target_may_be_any_column_and_cells_may_contain_commas_and_line_breaks(server: Server) -> None:
    text = table(40, lambda i: {"note": 'a, "b"\nc' if i % 2 else "d", "kind": "odd" if i % 2 else "even", "n": i})
    assert server.train(text, "kind").status_code == 200
    assert server.predict_csv(text).json()["accuracy"] == 1
    assert server.predict([{"note": 'a, "b"\nc', "n": 5}, {"note": "d", "n": 6}]).json()["predictions"] == [
        "odd",
        "even",
    ]


ODD_NAMES = ["a b", 'q"uote', "_x", "d.ot", "🦊", "ключ", "class", "it's", "x,y", "instances"]


def test_columns_may_have_any_name(server: Server) -> None:
    text = table(40, lambda i: {name: (i * (place + 1)) % 17 for place, name in enumerate(ODD_NAMES)} | {"y": i % 2})
    assert server.train(text, "y").status_code == 200
    by_csv = server.predict_csv(text).json()
    assert by_csv["ignored_columns"] == []
    rows = [{k: int(v) for k, v in row.items() if k != "y"} for row in csv.DictReader(io.StringIO(text))]
    assert server.predict(rows).json()["predictions"] == by_csv["predictions"]


@pytest.mark.exclusive
def test_a_hundred_thousand_rows_train_and_predict_while_others_are_answered(server: Server) -> None:
    noise = random.Random(0)
    names = [f"f{i}" for i in range(30)]

    def row(i: int) -> str:
        values = [f"{noise.gauss(0, 1):.4f}" for _ in names]
        return ",".join([*values, "up" if sum(map(float, values[:5])) > 0 else "down"])

    text = "\n".join([",".join([*names, "way"]), *map(row, range(100_000))])
    waits = watch(server, lambda: server.train(text, "way").raise_for_status())
    assert max(waits) < 2, f"health took {max(waits):.2f} s while training"
    found: list[list[str]] = []
    waits = watch(server, lambda: found.append(server.predict_csv(text).json()["predictions"]))
    assert max(waits) < 2, f"health took {max(waits):.2f} s while predicting a file"
    rows = [list(map(float, line.split(",")[:-1])) for line in text.split("\n")[1:]]
    waits = watch(server, lambda: found.append(server.predict(rows).json()["predictions"]))
    assert max(waits) < 2, f"health took {max(waits):.2f} s while predicting JSON"
    assert found[0] == found[1]
    assert len(found[0]) == 100_000


def watch(server: Server, work: Callable[[], None]) -> list[float]:
    """Return the durations of health requests that are sent continuously during the work."""
    waits, done = [], threading.Event()

    def ask() -> None:
        while not done.is_set():
            started = time.monotonic()
            assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
            waits.append(time.monotonic() - started)
            time.sleep(0.01)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        work()
    finally:
        done.set()
        asker.join()
    return waits


def test_a_copy_of_the_request_id_comes_back(server: Server) -> None:
    assert server.client.get("/models", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = server.client.get("/models", headers={"X-Request-ID": "bad id"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", made)


def test_the_samples_are_on_disk() -> None:
    assert {"full.csv", "train.csv", "test.csv"} <= {path.name for path in Path(ROOT / "ML" / "data").iterdir()}
