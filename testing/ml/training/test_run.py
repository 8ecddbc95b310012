"""The training command, run by hand and at start, in copies of the project."""

import re

import pytest
from projects import LINEAR, MAJORITY, MEAN, PLAIN, project, table

__all__ = ["project"]


def test_training_by_hand_publishes_a_version(project):
    of = project()
    for version in (1, 2):
        found = of.train("classifier", table())
        assert found.returncode == 0, found.stderr
        card = of.card("classifier", version)
        assert [card["state"], card["origin"], of.live()] == ["ready", "command", version]
    assert card["rows"]["train"] + card["rows"]["holdout"] == 60 and set(card["metrics"]) == set(card["train_metrics"])
    files = sorted(path.name for path in (of.store / "classifier" / "2").iterdir())
    assert files == ["card.json", "compiled.onnx", "model.skops"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classifier", "nothing.csv", "y"], "nothing.csv"),
        (["clasifier", "ML/data/train.csv", "species"], "There is no model clasifier; there are classifier"),
        (["../x", "ML/data/train.csv", "species"], "There is no model ../x"),
        (["classifier", "ML/data/train.csv", "specie"], "there is no column specie; did you mean species?"),
        (["classifier", "ML/data", "species"], "ML/data"),
        (["classifier", "headless.csv", "species"], "is the header missing? The first line is 5.1,3.5,1.4,0.2,setosa"),
        (["classifier", "ML/data/train.csv"], "name a model, a table and a target"),
    ],
)
def test_a_wrong_command_gets_a_plain_message(project, arguments, message):
    of = project()
    (of.folder / "headless.csv").write_text("5.1,3.5,1.4,0.2,setosa\n" * 20)
    found = of.command(*arguments)
    assert found.returncode in (1, 2) and message in found.stderr and "Traceback" not in found.stderr


def test_the_samples_are_trained_once_and_again_when_sample_or_code_change(project):
    of = project()
    sample, code = of.folder / "ML" / "data" / "train.csv", of.folder / "ML" / "src" / "classifier.py"
    for change, version in ((None, 1), (None, 1), (sample, 2), (None, 2), (code, 3), (None, 3)):
        if change:
            change.write_text(
                change.read_text() + ("5.5,2.5,3.8,1.1,versicolor\n" if change is sample else "\n# edited\n")
            )
        found = of.command("--bootstrap")
        assert found.returncode == 0, found.stderr
        assert of.live() == version and of.card("classifier", version)["origin"] == "sample"


@pytest.mark.parametrize("origin", ["command", "upload"])
def test_a_trained_version_is_never_replaced_by_the_sample(project, origin):
    of = project()
    of.add_version()
    card = of.store / "classifier" / "1" / "card.json"
    card.write_text(card.read_text().replace('"command"', f'"{origin}"'))
    (of.folder / "ML" / "src" / "_helper.py").write_text("EDITED = True\n")
    assert of.command("--bootstrap").returncode == 0
    assert of.live() == 1 and not (of.store / "classifier" / "2").exists()


def test_nothing_is_trained_at_start_with_bootstrap_false(project):
    of = project()
    assert of.command("--bootstrap", BOOTSTRAP="false").returncode == 0
    assert of.live() is None


def test_a_store_that_can_not_be_written_is_reported_with_the_remedy(project):
    of = project()
    of.store.write_text("a file where the folder should be")
    found = of.command("--bootstrap")
    assert found.returncode == 1 and found.stderr.count("\n") == 1
    assert f"{of.store} can't be written" in found.stderr and "is not a folder. Set MODELS_DIR" in found.stderr


@pytest.mark.parametrize(
    ("answer", "target", "task", "type_"),
    [
        (MAJORITY, lambda i: "aab"[i % 3], "classification", "string"),
        (MAJORITY, lambda i: i % 2, "classification", "integer"),
        (MAJORITY, lambda i: i % 2 == 0, "classification", "boolean"),
        (MEAN, lambda i: i / 7, "regression", "number"),
    ],
)
def test_a_plain_object_with_only_fit_and_predict_trains(project, answer, target, task, type_):
    of = project(plain=PLAIN.format(answer=answer))
    found = of.train("plain", table(target=target))
    assert found.returncode == 0, found.stderr
    card = of.card("plain", 1)
    assert [card["target"]["task"], card["target"]["type"], card["probabilities"]] == [task, type_, False]


def test_a_regressor_trains(project):
    of = project(regressor=LINEAR)
    assert of.train("regressor", table(target=lambda i: 2 * i + 1)).returncode == 0
    assert of.card("regressor", 1)["metrics"] == {"r2": pytest.approx(1)}


def test_a_class_with_one_row_trains_and_stays_among_the_training_rows(project):
    of = project()
    for version, rare in enumerate((3, 17, 40), 1):
        found = of.train("classifier", table(target=lambda i, rare=rare: "rare" if i == rare else "ab"[i % 2]))
        assert found.returncode == 0, found.stderr
        assert of.card("classifier", version)["target"]["classes"] == ["a", "b", "rare"]


@pytest.mark.parametrize(
    ("csv", "note"),
    [(table(12), "rows were held out|no row was held out"), ("x,y\n" + "1,a\n1,b\n" * 20, "no row|only")],
)
def test_the_card_warns_when_too_few_rows_are_held_out(project, csv, note):
    of = project()
    found = of.train("classifier", csv)
    assert found.returncode == 0, found.stderr
    assert re.search(note, " ".join(of.card("classifier", 1)["notes"]))
