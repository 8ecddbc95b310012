"""The OpenAPI document and Swagger UI: valid, local, and in the columns of the live models."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from openapi_spec_validator import validate
from server import Server

VARY = "Accept-Encoding, Authorization"
TABLE = "height,colour,kind\n" + "".join(f"{1000 + i},{'red' if i % 3 else 'blue'},{'ab'[i % 2]}\n" for i in range(40))


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Start a server with only the sample models."""
    return serve()


def document(server: Server) -> dict:
    return server.client.get("/openapi.json").json()


def example(server: Server, path: str = "/predict") -> dict:
    return document(server)["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]


def test_the_document_is_valid_before_and_after_training(server: Server) -> None:
    validate(document(server))
    server.train(TABLE, "kind").raise_for_status()
    validate(document(server))


def test_the_example_is_a_synthetic_row_with_the_live_models_columns(server: Server, iris: str) -> None:
    server.train(iris, "species").raise_for_status()
    shown = example(server)
    assert list(shown["instances"][0]) == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert ",".join(str(float(v)) for v in shown["instances"][0].values()) not in iris
    assert server.client.post("/predict", json=shown).status_code == 200
    server.train(TABLE, "kind").raise_for_status()
    assert list(example(server)["instances"][0]) == ["height", "colour"]
    assert server.client.post("/predict", json=example(server)).status_code == 200


def test_no_value_that_only_one_row_has_is_shown(server: Server) -> None:
    people = "name,id,kind\n" + "".join(f"person {i},{987654000 + i * 37},{'ab'[i % 2]}\n" for i in range(40))
    server.train(people, "kind").raise_for_status()
    text = server.client.get("/openapi.json").text + server.client.get("/models/classifier").text
    assert "person" not in text
    assert not re.search(r"98765\d{4}(?!\d)", text)


def test_every_further_model_has_its_concrete_path_with_its_own_columns(server: Server) -> None:
    regressor = example(server, "/models/regressor/predict")
    assert set(regressor["instances"][0]) != set(example(server)["instances"][0])
    answer = server.client.post("/models/regressor/predict", json=regressor)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json()["predictions"][0], float)
    row = document(server)["components"]["schemas"]["regressor_row"]
    assert set(row["properties"]) == set(regressor["instances"][0])


def test_health_and_docs_need_no_credentials_in_the_document_and_all_else_does(server: Server) -> None:
    paths = document(server)["paths"]
    closed = {path for path, methods in paths.items() for method in methods.values() if method["security"]}
    assert set(paths) - closed == {"/health/live", "/health/ready"}


SECRET = "salary,project,hired,remote,outcome\n" + "".join(
    f"{86_500 + n},{'Zugvogel' if n % 3 else 'Eisvogel'},2019-0{1 + n % 7}-17,{'yes' if n % 2 else 'no'},"
    f"{'insolvent' if n % 4 else 'solvent'}\n"
    for n in range(60)
)


def learned_words(server: Server) -> list[str]:
    """Return the values that the live version learned from its data as JSON: examples, words of flags, labels."""
    card = server.client.get("/models/classifier").json()["live"]
    values: list[Any] = [*card["target"]["classes"]]
    for column in card["features"]["columns"]:
        values += [*column["words"], *column["examples"]]
    return [json.dumps(value) for value in values if not isinstance(value, bool)]


def test_without_credentials_it_has_no_value_of_the_training_data(server: Server) -> None:
    server.train(SECRET, "outcome").raise_for_status()
    words = learned_words(server)
    assert {'"Zugvogel"', '"yes"', '"insolvent"'} <= set(words) and len(words) > 15
    for credentials in (None, ("admin", "wrong")):
        public = httpx.get(f"{server.url}/openapi.json", auth=credentials)
        assert [word for word in words if re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.])", public.text)] == []
        shown = public.json()["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert shown == {"instances": [{"salary": 1, "project": "text", "hired": "2024-01-31", "remote": True}]}
        assert server.client.post("/predict", json=shown).status_code == 200
        assert (public.headers["cache-control"], public.headers["vary"]) == ("no-cache", VARY)


def test_with_credentials_the_examples_are_those_that_the_model_learned(server: Server) -> None:
    server.train(SECRET, "outcome").raise_for_status()
    found = server.client.get("/openapi.json")
    shown = example(server)["instances"][0]
    assert shown == {"salary": 86500, "project": "Zugvogel", "hired": "2019-04-17", "remote": shown["remote"]}
    assert found.json()["components"]["schemas"]["classifier_row"]["properties"]["remote"] == {
        "anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["yes", "no"]}, {"type": "null"}]
    }
    assert (found.headers["cache-control"], found.headers["vary"]) == ("private, no-cache", VARY)


def test_only_users_see_the_learned_examples_if_the_docs_are_not_public(
    serve: Callable[..., Server],
) -> None:
    server = serve(WEB_CONCURRENCY="1", PREDICT_PASS="read", DOCS_PUBLIC="false")
    assert httpx.get(f"{server.url}/openapi.json").status_code == 401
    found = httpx.get(f"{server.url}/openapi.json", auth=("predictor", "read"))
    assert found.text == server.client.get("/openapi.json").text
    assert found.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_a_client_that_has_it_gets_no_body(server: Server, path: str) -> None:
    first = httpx.get(server.url + path, headers={"Accept-Encoding": "identity"})
    tag = first.headers["etag"]
    for said in (tag, f'"other", W/{tag}', "*"):
        again = httpx.get(server.url + path, headers={"Accept-Encoding": "identity", "If-None-Match": said})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), said
        assert again.headers["vary"] == first.headers["vary"]
    for said in ('"other"', tag.strip('"'), ""):
        assert httpx.get(server.url + path, headers={"If-None-Match": said}).status_code == 200, said


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_the_compressed_document_has_its_own_etag(server: Server, path: str) -> None:
    plain = httpx.get(server.url + path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for _ in range(2):
        packed = httpx.get(server.url + path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == plain.content and packed.headers["etag"] != plain.headers["etag"]
        assert int(packed.headers["content-length"]) < len(plain.content)
    tag = packed.headers["etag"]
    assert httpx.get(server.url + path, headers={"Accept-Encoding": "gzip", "If-None-Match": tag}).status_code == 304
    long = {"Accept-Encoding": ", ".join(f"x{n}" for n in range(400)) + ", gzip"}
    assert "content-encoding" not in httpx.get(server.url + path, headers=long).headers


def test_each_worker_gives_the_same_bytes_and_tag_until_another_version_is_live(server: Server) -> None:
    seen = []
    for fresh in (False, True):
        if fresh:
            server.train(SECRET.replace("salary", "bonus"), "outcome", force="true").raise_for_status()
        for get in (server.client.get, httpx.get):
            # A connection each, so that both workers are asked.
            answers = [get(f"{server.url}/openapi.json", headers={"Connection": "close"}) for _ in range(12)]
            assert len({(each.headers["etag"], each.text) for each in answers}) == 1
            seen.append(answers[0].headers["etag"])
    assert len(set(seen)) == 4


def processor_ms(server: Server) -> float:
    """Return the CPU time of the workers in milliseconds."""
    stats = [Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split() for worker in server.workers]
    return 1000 * sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def test_the_thousandth_reader_costs_a_fraction_of_the_first(serve: Callable[..., Server]) -> None:
    """Rendering the document for each request took 7 ms of CPU time with only the samples."""
    server = serve(WEB_CONCURRENCY="1")
    with httpx.Client(base_url=server.url) as client:
        client.get("/openapi.json")
        before = processor_ms(server)
        for n in range(500):
            client.get("/openapi.json", headers={"X-Forwarded-Prefix": f"/{n}", "X-Forwarded-Host": f"{n}.example"})
        each = (processor_ms(server) - before) / 500
    assert each < 1.5, each


def test_swagger_ui_loads_nothing_from_another_host(server: Server) -> None:
    page = server.client.get("/docs").text
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(links) == 3
    for link in links:
        assert link.startswith("/docs/")
        assert server.client.get(link).status_code == 200
    assert server.client.get("/", headers={"accept": "text/html"}, follow_redirects=True).text == page
