"""Requests that the Open Inference Protocol refuses, and their messages."""

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from oip_client import INFER, MATRIX, columns, error_text, infer, send, server
from server import Server

__all__ = ["server"]


WRONG = {
    "nothing": ({}, "inputs"),
    "no inputs": ({"inputs": []}, "inputs"),
    "no shape": ({"inputs": [{"name": "x", "datatype": "FP64", "data": [1]}]}, "inputs[0].shape"),
    "a negative dimension": ({"inputs": [MATRIX | {"shape": [-1, 4]}]}, "inputs[0].shape[0]"),
    "a fraction of a dimension": ({"inputs": [MATRIX | {"shape": [1.5, 4]}]}, "inputs[0].shape[0]"),
    "no dimension": ({"inputs": [MATRIX | {"shape": []}]}, "neither [rows]"),
    "three dimensions": ({"inputs": [MATRIX | {"shape": [1, 4, 1]}]}, "neither [rows]"),
    "no rows": ({"inputs": [MATRIX | {"shape": [0, 4], "data": []}]}, "no rows"),
    "a dimension too large for anything": ({"inputs": [MATRIX | {"shape": [1, 10**30]}]}, "inputs[0].shape[1]"),
    "a large shape with little data": ({"inputs": [MATRIX | {"shape": [4000, 4]}]}, "16000 elements, and the data 4"),
    "data too short": ({"inputs": [MATRIX | {"data": [1, 2, 3]}]}, "4 elements, and the data 3"),
    "data too long": ({"inputs": [MATRIX | {"data": [1, 2, 3, 4, 5]}]}, "4 elements, and the data 5"),
    "no data": ({"inputs": [MATRIX | {"data": None}]}, "there is no data"),
    "data left out": ({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64"}]}, "there is no data"),
    "data nested otherwise": ({"inputs": [MATRIX | {"data": [[1, 2], [3, 4]]}]}, "not nested as the shape"),
    "data nested too deeply": ({"inputs": [MATRIX | {"data": [[[1], [2], [3], [4]]]}]}, "no FP64 in JSON"),
    "another datatype": ({"inputs": [MATRIX | {"datatype": "FP128"}]}, "inputs[0].datatype"),
    "text as numbers": ({"inputs": [MATRIX | {"data": ["5", 3, 1, 0]}]}, "element 1 is no FP64"),
    "fractions as integers": ({"inputs": [MATRIX | {"datatype": "INT64"}]}, "element 1 is no INT64"),
    "an integer too large": ({"inputs": [MATRIX | {"datatype": "INT8", "data": [300, 1, 1, 1]}]}, "INT8 does not hold"),
    "FP16 in JSON": ({"inputs": [MATRIX | {"datatype": "FP16"}]}, "FP16 has no form in JSON"),
    "strings for numbers": ({"inputs": [MATRIX | {"datatype": "BYTES", "data": ["5", "3", "1", "x"]}]}, "row 1, "),
    "another width": ({"inputs": [MATRIX | {"shape": [1, 3], "data": [1, 2, 3]}]}, "3 columns, and the model 4"),
    "one row as a vector": ({"inputs": [MATRIX | {"shape": [4]}]}, "the column sepal_length is missing"),
    "a missing column": ({"inputs": columns()[1:]}, "the column sepal_length is missing"),
    "a misspelt column": ({"inputs": columns(petal_width={"name": "petal_widht"})}, "is it spelt petal_widht here?"),
    "an unknown column": ({"inputs": [*columns(), MATRIX | {"name": "y"}]}, "y: it is not a column of this model"),
    "a column twice": ({"inputs": [*columns(), columns()[0]]}, "sepal_length: it is there more than once"),
    "other numbers of rows": (
        {"inputs": columns(petal_width={"shape": [2], "data": [1, 2]})}, "petal_width: it has 2 rows"),
    "an unknown output": ({"inputs": [MATRIX], "outputs": [{"name": "y"}]}, "y is not an output"),
    "an output twice": ({"inputs": [MATRIX], "outputs": [{"name": "predict"}] * 2}, "requested twice"),
    "a word for a flag": ({"inputs": [MATRIX], "parameters": {"binary_data_output": "yes"}}, "must be true or false"),
    "a number for an id": ({"inputs": [MATRIX], "id": 42}, "id: "),
    "classification": (
        {"inputs": [MATRIX], "outputs": [{"name": "predict", "parameters": {"classification": 3}}]}, "classification"),
    "shared memory": ({"inputs": [MATRIX | {"parameters": {"shared_memory_region": "x"}}]}, "no shared memory"),
    "base64 of numbers": ({"inputs": [MATRIX | {"parameters": {"content_type": "base64"}}]}, "base64 is for BYTES"),
    "what is not base64": (
        {"inputs": [MATRIX | {"datatype": "BYTES", "data": ["*"] * 4, "parameters": {"content_type": "base64"}}]},
        "element 1 is not a text in base64"),
    "null for a name": ({"inputs": [MATRIX | {"name": None}]}, "inputs[0].name"),
    "null for a shape": ({"inputs": [MATRIX | {"shape": None}]}, "inputs[0].shape"),
    "null for a datatype": ({"inputs": [MATRIX | {"datatype": None}]}, "inputs[0].datatype"),
    "null for the inputs": ({"inputs": None}, "inputs"),
    "null for an output's name": ({"inputs": [MATRIX], "outputs": [{"name": None}]}, "outputs[0].name"),
    "binary data that is not there": (
        {"inputs": [{**MATRIX, "parameters": {"binary_data_size": 32}}]}, "0 bytes are left; the header"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_gets_a_message_that_says_what_is_wrong(server: Server, body: Any, says: str) -> None:
    assert says in error_text(server.client.post(INFER, json=body))


def test_a_value_that_is_not_finite_is_named_by_row_and_column(server: Server) -> None:
    two = {"name": "x", "shape": [2, 4], "datatype": "FP64"}
    strict = "/v2/models/strict/infer"
    for value, says in (
        (float("nan"), "row 2, petal_length is missing"),
        (float("inf"), "row 2, petal_length: the number is not finite"),
    ):
        values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, value, 8.0]
        body = json.dumps({"inputs": [two | {"data": values}]})  # NaN and Infinity, as clients write them
        assert says in error_text(server.client.post(strict, content=body))
        raw = np.array(values).tobytes()
        assert says in error_text(
            send(server, {"inputs": [two | {"parameters": {"binary_data_size": 64}}]}, raw, strict)
        )
    body = json.dumps({"inputs": [two | {"data": [1, 2, 3, 4, 5, 6, None, 8]}]})
    assert "row 2, petal_length is missing" in error_text(server.client.post(strict, content=body))


def test_binary_data_of_a_wrong_size_is_refused(server: Server) -> None:
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64"}
    for size, raw, says in (
        (32, b"\0" * 31, "31 bytes are left"),
        (31, b"\0" * 31, "have 32 bytes, and binary_data_size is 31"),
        (32, b"\0" * 33, "1 bytes at the end"),
        (-1, b"", "binary_data_size is -1"),
        (True, b"\0", "binary_data_size is True"),
        ("32", b"\0" * 32, "binary_data_size is '32'"),
        (10**40, b"\0" * 32, "bytes are left"),
    ):
        assert says in error_text(
            send(server, {"inputs": [tensor | {"parameters": {"binary_data_size": size}}]}, raw)
        ), size
    both = tensor | {"data": [1, 2, 3, 4], "parameters": {"binary_data_size": 32}}
    assert "both data and" in error_text(send(server, {"inputs": [both]}, b"\0" * 32))
    huge = tensor | {"shape": [5000, 4], "parameters": {"binary_data_size": 32}}
    assert "20000 elements of FP64 have 160000 bytes" in error_text(send(server, {"inputs": [huge]}, b"\0" * 32))
    more = tensor | {"shape": [10**15, 4], "parameters": {"binary_data_size": 32}}
    assert "MAX_ROWS" in error_text(send(server, {"inputs": [more]}, b"\0" * 32), 413)


def test_the_length_of_the_json_is_checked(server: Server) -> None:
    body = json.dumps({"inputs": [MATRIX]})
    for length in ("x", "-1", "1e3", "9" * 40, "\u0661".encode().decode("latin-1")):
        headers = {"inference-header-content-length": length.encode("latin-1")}
        assert "length of the JSON" in error_text(server.client.post(INFER, content=body, headers=headers))
    for size in (0, len(body) - 1, 10**9):
        headers = {"inference-header-content-length": str(size).encode()}
        assert error_text(server.client.post(INFER, content=body, headers=headers))


def test_credentials_roles_limits_and_types_hold(serve: Callable[..., Server], server: Server) -> None:
    refused = httpx.post(f"{server.url}{INFER}", json={"inputs": [MATRIX]})
    assert "credentials" in error_text(refused, 401)
    assert httpx.get(f"{server.url}/v2/health/ready").status_code == 401
    assert "MAX_BODY_MB" in error_text(server.client.post(INFER, content=b" " * (2**20 + 1)), 413)
    wrong = server.client.post(INFER, content="{}", headers={"content-type": "text/csv"})
    assert "takes application/json" in error_text(wrong, 415)
    assert "it takes POST" in error_text(server.client.get(INFER), 405)
    many = {"name": "x", "shape": [5001, 4], "datatype": "INT8", "data": [1] * 20004}
    assert "MAX_ROWS" in error_text(infer(server, [many]), 413)
