"""The OpenAPI document is valid for every choice of protocols and every table that a model can learn."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate
from server import ROOT, Server

PREFIX = "#/components/schemas/"
COPY = "from ML.src.classifier import build, score\n"
NAMES = ("a b", "class", "_x", "🙂", "$ref", "price €", "price $", "title", "enum", "example", "${x}", 'say "q"', "0")
CELLS = ("{n}.5", "word {n}", "2024-01-{day:02}", "yes no", "0 1", "true false")


def references(part: Any) -> Iterator[str]:
    """Yield all references of a document. A column may be called `$ref`, but then its value is an object."""
    if isinstance(part, list):
        for each in part:
            yield from references(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref" and isinstance(value, str) and value.startswith("#"):
                yield value
            else:
                yield from references(value)


def check(document: dict[str, Any]) -> None:
    """Check that the document is valid, its references and schemas match, and its ids are unique."""
    validate(document)
    schemas = document["components"]["schemas"]
    referred = set(references(document))
    assert referred == {PREFIX + name for name in schemas}
    titles = [schema["title"] for schema in schemas.values()]
    assert len(set(map(folded, titles))) == len(titles)
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    for operation in operations:
        errors = {status: answer for status, answer in operation["responses"].items() if status[0] in "45d"}
        assert "default" in errors
        assert ("401" in errors) == bool(operation["security"])
        for answer in errors.values():
            assert answer["content"]["application/json"]["schema"]["$ref"].removeprefix(PREFIX) in schemas


def folded(title: str) -> str:
    return re.sub(r"[\W_]", "", title).casefold()


@pytest.mark.slow
def test_it_is_sound_for_every_choice_of_protocols() -> None:
    command = [sys.executable, str(ROOT / "testing/support/openapi_documents.py")]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert run.returncode == 0, run.stderr[-3000:]
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert len({each["settings"]["PROTOCOLS"] for each in found}) == 32
    assert len(found) == 2 * 31 + 1 + 5 + 1
    for each in found:
        try:
            check(each["document"])
        except Exception as error:
            raise AssertionError(f"{each['settings']}: {error!r}"[:2000]) from error


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    """Start a server with models that learned unusual names and 200 columns, and whose own names clash in code."""
    server = serve(fork(odd=COPY, Odd_=COPY, predict_post=COPY), WEB_CONCURRENCY="1")
    server.train(table(NAMES), "label", model="odd").raise_for_status()
    server.train(table(["x", "X"]), "label", model="Odd_").raise_for_status()
    wide = table([f"column {place}" for place in range(200)])
    server.train(wide, "label", model="predict_post").raise_for_status()
    return server


def table(names: Any) -> str:
    """Return columns of every kind in turn. Every third has a missing value."""
    rows = [",".join('"' + name.replace('"', '""') + '"' for name in [*names, "label"])]
    for n in range(40):
        cells = [cell(place, n) for place in range(len(names))]
        rows.append(",".join([*cells, "ab"[n % 2]]))
    return "\n".join(rows)


def cell(place: int, n: int) -> str:
    if place % 3 == 2 and n == 5:
        return ""
    words = CELLS[place % len(CELLS)]
    if "{" in words:
        return words.format(n=n // 8, day=n // 8 + 1)
    return words.split()[n // 2 % 2]


@pytest.mark.parametrize("learned", [True, False])
def test_the_document_is_valid_for_any_column_names(server: Server, learned: bool) -> None:
    get = server.client.get if learned else lambda path: httpx.get(server.url + path)
    document = get("/openapi.json").json()
    check(document)
    posted = 0
    for path, methods in document["paths"].items():
        for media in methods.get("post", {}).get("requestBody", {}).get("content", {}).values():
            if "example" in media:
                validator(document, media["schema"]).validate(media["example"])
                answer = server.client.post(path, json=media["example"])
                assert answer.status_code == 200, (path, answer.text)
                posted += 1
    assert posted == 6  # /predict, and five models


def test_wrong_input_has_the_status_that_the_routes_give(server: Server) -> None:
    """The project's own routes document 422, the protocols 400, and no route both."""
    for path, methods in server.client.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            assert ("422" in operation["responses"]) <= ("400" not in operation["responses"]), (method, path)
    assert "422" not in operation_of(server, "/v2/models/{model}") and "400" in operation_of(
        server, "/v2/models/{model}"
    )
    assert "422" in operation_of(server, "/models/{model}")


def operation_of(server: Server, path: str) -> dict[str, Any]:
    return server.client.get("/openapi.json").json()["paths"][path]["get"]["responses"]


def test_it_shows_both_forms_of_rows_and_no_other(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    body = document["paths"]["/models/odd/predict"]["post"]["requestBody"]["content"]["application/json"]
    row = body["example"]["instances"][0]
    assert list(row) == list(NAMES)
    fits = validator(document, body["schema"]).is_valid
    assert fits({"instances": [row]}) and fits({"instances": [list(row.values())]})
    assert not fits({"instances": [list(row.values())[1:]]})
    assert not fits({"instances": [list(row.values())[::-1]]})
    for name, value in row.items():
        assert not fits({"instances": [row | {name: [value]}]}), name
    assert not fits({"instances": [{name: value for name, value in row.items() if name != "price $"}]})


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": document["components"]})
