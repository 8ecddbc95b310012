"""A client generated from the OpenAPI document has every operation and every error, and trains and predicts."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients.asking import ask
from server import PASSWORD, USER, Server

# The generator's environment is installed by the first test that needs it.
pytestmark = pytest.mark.timeout(900)

PREFIX = "#/components/schemas/"
COPY = "from ML.src.classifier import build, score\n"
TABLE = "a b,class,_x,🙂,$ref,price €,price $,label\n" + "".join(
    f"{n % 7}.5,{('red', 'blue')[n % 2]},2024-01-{n % 28 + 1:02},"
    f"{('yes', 'no')[n // 2 % 2]},{n},{n % 5},{n % 3},{'ab'[n % 2]}\n"
    for n in range(60)
)


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    """Start a server with a model that learned unusual names of every kind, so that the document has their schemas."""
    server = serve(fork(odd=COPY), coverage=False, WEB_CONCURRENCY="1")
    server.train(TABLE, "label", model="odd").raise_for_status()
    return server


@pytest.fixture(scope="module")
def client(server: Server) -> Any:
    return ask("openapi", server.url, USER, PASSWORD, TABLE, "label", "odd", seconds=300)


def in_code(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def test_the_generator_skips_nothing_but_bodies_that_it_can_not_write(client: Any) -> None:
    """The generator supports JSON and forms. /invocations also accepts CSV and JSON Lines."""
    warnings = re.findall(r"WARNING (.+)\n+(.+)", client["output"])
    assert warnings, client["output"]
    for place, why in warnings:
        assert "invocations" in place and why.startswith("Unsupported content type"), (place, why)


def test_every_operation_has_a_function(client: Any) -> None:
    documented = [op["operationId"] for methods in client["document"]["paths"].values() for op in methods.values()]
    assert len(documented) > 35
    assert sorted(map(in_code, documented)) == sorted(map(in_code, client["operations"]))


def test_every_schema_has_a_class_and_every_error_is_typed(client: Any) -> None:
    classes = {in_code(name): name for name in client["classes"]}
    schemas = client["document"]["components"]["schemas"]
    assert {in_code(schema["title"]) for schema in schemas.values()} <= set(classes)
    functions = {in_code(name): kinds for name, kinds in client["operations"].items()}
    kinds = set()
    for methods in client["document"]["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status[0] in "45d":
                    name = answer["content"]["application/json"]["schema"]["$ref"].removeprefix(PREFIX)
                    kinds.add(classes[in_code(schemas[name]["title"])])
                    assert classes[in_code(schemas[name]["title"])] in functions[in_code(operation["operationId"])]
    assert kinds == {"Error", "OipError", "KserveError", "SagemakerError", "MlflowError"}


def test_the_generated_client_trains_and_predicts(server: Server, client: Any) -> None:
    trained = client["trained"]
    assert (trained["model"], trained["status"]) == ("odd", "Model training success")
    assert client["models"]["odd"] == trained["version"]
    row = server.client.get("/models/odd").json()["live"]["example"]
    wanted = server.predict([row], "odd").json()
    assert client["predictions"] == [wanted, wanted]
    assert client["of_table"]["rows"] == 60
    assert client["of_table"]["predictions"] == server.predict_csv(TABLE, model="odd").json()["predictions"]


def test_the_generated_client_reads_errors(client: Any) -> None:
    refused = client["refused"]
    status, kind, body = refused["row"]
    assert (status, kind) == (422, "Error")
    assert body["detail"][0]["loc"][:3] == ["body", "instances", 0] and "is missing" in body["detail"][0]["msg"]
    assert refused["credentials"][:2] == [401, "Error"] and "SERVICE_USER" in refused["credentials"][2]["detail"]
    assert refused["model"][:2] == [404, "Error"] and "nope" in refused["model"][2]["detail"]
    assert refused["oip"][:2] == [404, "OipError"] and "nope" in refused["oip"][2]["error"]
    assert refused["kserve"][:2] == [404, "KserveError"] and "nope" in refused["kserve"][2]["error"]
