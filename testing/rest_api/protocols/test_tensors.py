"""Tensors are converted to values and back. Invalid tensors are refused before memory is allocated."""

import json
import math
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from ML.errors import Problem
from ML.schema import cells
from ML.schema.schema import Column, Schema
from rest_api.protocols.oip.inference import request as infer_request
from rest_api.protocols.oip.model_signature import ModelSignature
from rest_api.protocols.oip.tensors import binary_elements
from rest_api.protocols.oip.tensors.datatypes import LAYOUT

MIXED = Schema(
    columns=(
        Column(name="n", kind="number", gaps=True),
        Column(name="m", kind="number", gaps=False),
        Column(name="yes", kind="flag", words=("no", "yes")),
        Column(name="day", kind="date"),
        Column(name="text", kind="text"),
    )
)
NUMBERS = Schema(columns=(Column(name="a", kind="number"), Column(name="b", kind="number", gaps=False)))
ROWS = 100


def contract(schema: Schema) -> ModelSignature:
    return ModelSignature("model", "1", schema, "BYTES", None)


MODELS = {"mixed": contract(MIXED), "numbers": contract(NUMBERS)}


def parse(inputs: Any, raw: bytes = b"", model: str = "mixed", **fields: Any) -> infer_request.InferRequest:
    text = json.dumps({"inputs": inputs, **fields}).encode()
    return infer_request.parse(MODELS[model], text + raw, len(text) if raw else None, ROWS)


def binary(name: str, datatype: str, values: Any, shape: list[int] | None = None) -> tuple[dict[str, Any], bytes]:
    raw = binary_elements.encode(datatype, values)
    parameters = {"binary_data_size": len(raw)}
    return {"name": name, "shape": shape or [len(values)], "datatype": datatype, "parameters": parameters}, raw


def mixed(**changes: Any) -> list[dict[str, Any]]:
    kinds = {"n": ("FP64", 1.5), "m": ("FP64", 2.5), "yes": ("BOOL", True), "day": ("BYTES", "2024-01-01"),
             "text": ("BYTES", "a")}  # fmt: skip
    plain = {name: {"name": name, "shape": [1], "datatype": d, "data": [v]} for name, (d, v) in kinds.items()}
    return [each | changes.get(name, {}) for name, each in plain.items()]


def value(column: str, **change: Any) -> Any:
    names = [c.name for c in MIXED.columns]
    return parse(mixed(**{column: change})).columns[names.index(column)][0]


def test_every_column_kind_reaches_the_pipeline_converted() -> None:
    assert parse(mixed()).columns == [[1.5], [2.5], [1.0], [cells.date("2024-01-01")], ["a"]]


@pytest.mark.parametrize(("datatype", "sent", "seen"), [
    ("FP64", 0.1, 0.1), ("FP64", 7, 7.0), ("FP64", 2**53 + 1, float(2**53 + 1)), ("FP64", 1e308, 1e308),
    ("FP64", 5e-324, 5e-324), ("FP32", 0.1, float(np.float32(0.1))), ("INT64", 2**63 - 1, float(2**63 - 1)),
    ("INT64", -(2**63), -float(2**63)), ("UINT64", 2**64 - 1, float(2**64 - 1)), ("INT8", -128, -128.0),
    ("UINT16", 65535, 65535.0),
])  # fmt: skip
def test_a_number_is_the_same_in_json_and_in_bytes(datatype: str, sent: float, seen: float) -> None:
    assert value("n", datatype=datatype, data=[sent]) == seen
    tensor, raw = binary("n", datatype, [sent])
    assert parse([tensor, *mixed()[1:]], raw).columns[0] == [seen]


@pytest.mark.parametrize(("datatype", "raw", "seen"), [
    ("FP16", np.float16(1.5).tobytes(), 1.5), ("BF16", b"\xc0\x3f", 1.5), ("BF16", b"\x80\xc0", -4.0),
])  # fmt: skip
def test_half_a_float_comes_as_bytes_only(datatype: str, raw: bytes, seen: float) -> None:
    tensor = {"name": "n", "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": 2}}
    assert parse([tensor, *mixed()[1:]], raw).columns[0] == [seen]
    with pytest.raises(Problem, match="no form in JSON"):
        value("n", datatype=datatype, data=[1.5])


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64"])
def test_null_says_that_a_value_is_missing(datatype: str) -> None:
    assert value("n", datatype=datatype, data=[None]) is None
    with pytest.raises(Problem, match="row 1, m is missing"):
        value("m", datatype=datatype, data=[None])


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "FP16", "BF16"])
def test_nan_says_so_too(datatype: str) -> None:
    raw = {"FP64": struct.pack("<d", math.nan), "FP32": struct.pack("<f", math.nan), "FP16": b"\x01\x7e",
           "BF16": b"\xc1\x7f"}[datatype]  # fmt: skip
    tensor = {"name": "n", "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    assert parse([tensor, *mixed()[1:]], raw).columns[0] == [None]
    with pytest.raises(Problem, match="row 1, m is missing"):
        parse([mixed()[0], tensor | {"name": "m"}, *mixed()[2:]], raw)


@pytest.mark.parametrize(
    ("datatype", "sent"), [("BOOL", True), ("BOOL", 1), ("INT8", 1), ("FP32", 1.0), ("BYTES", "yes")]
)
def test_a_flag_may_be_sent_as_bool_number_or_word(datatype: str, sent: Any) -> None:
    assert value("yes", datatype=datatype, data=[sent]) == 1.0
    if datatype != "BYTES":
        assert value("yes", datatype=datatype, data=[type(sent)(0)]) == 0.0
    with pytest.raises(Problem, match="flag was learned"):
        value("yes", datatype="INT8", data=[2])


def test_strings_keep_every_character_in_bytes() -> None:
    texts = ["", "a", "é\0🙂", "\u2028", "x" * 70000]
    tensor, raw = binary("text", "BYTES", texts)
    others = [each | {"shape": [5], "data": each["data"] * 5} for each in mixed()[:4]]
    assert parse([*others, tensor], raw).columns[4][1:] == texts[1:]
    assert parse([*others, tensor], raw).columns[4][0] != texts[0]  # NaN: it is missing


def test_bytes_are_taken_in_the_order_of_the_inputs() -> None:
    a, raw_a = binary("b", "FP64", [1.0, 2.0])
    b, raw_b = binary("a", "INT8", [3, 4])
    assert parse([a, b], raw_a + raw_b, "numbers").columns == [[3.0, 4.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    "raw", [b"\xff\xff\xff\xff", b"\1\0\0", b"\2\0\0\0a", b"\1\0\0\0\xff", b"\0\0\0\0\0\0\0\0", b""]
)
def test_byte_tensors_that_are_not_strings_are_refused(raw: bytes) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    with pytest.raises(Problem, match="text: "):
        parse([*mixed()[:4], tensor], raw)


def test_little_data_takes_little_memory_for_any_declared_shape() -> None:
    huge = [
        {"name": "x", "shape": [ROWS, 2**40], "datatype": "FP64", "data": [1.0]},
        {"name": "x", "shape": [2**62, 2], "datatype": "FP64", "data": [1.0, 2.0]},
        {"name": "a", "shape": [ROWS], "datatype": "BYTES", "parameters": {"binary_data_size": 4}},
        {"name": "x", "shape": [ROWS, 2], "datatype": "FP64", "parameters": {"binary_data_size": 2**40}},
    ]
    tracemalloc.start()
    for tensor in huge:
        with pytest.raises(Problem):
            parse([tensor], b"\xff\xff\xff\x7f", "numbers")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("element", [b"[]", b"{}", b"0", b'""'])
def test_a_body_of_very_many_elements_is_refused_before_it_is_parsed(element: bytes) -> None:
    head = b'{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": ['
    body = head + b",".join([element] * 10**6) + b"]}]}"
    tracemalloc.start()
    with pytest.raises(Problem, match="more than"):
        infer_request.parse(MODELS["numbers"], body, None, ROWS)
    assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    tracemalloc.stop()


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["n", "m", "yes", "day", "text", "a", "b", "x", ""])
elements = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "yes", "2024-01-01", "🙂"])
sizes = st.integers(-1, 40) | st.sampled_from([2**31, 2**63 - 1, 2**63, 10**30])
parameters = st.fixed_dictionaries({}, optional={
    "binary_data_size": sizes | junk, "content_type": st.sampled_from(["pd", "np", "base64"]) | junk,
    "shared_memory_region": junk})  # fmt: skip
tensor_like = st.fixed_dictionaries(
    {"name": names | junk, "shape": st.lists(st.integers(-1, 4) | sizes, max_size=3) | junk,
     "datatype": st.sampled_from([*LAYOUT, "BYTES", "FP128"]) | junk},
    optional={"data": st.lists(elements | st.lists(elements, max_size=5), max_size=10) | junk,
              "parameters": parameters | junk})  # fmt: skip
likely = st.sampled_from([1, 2]).flatmap(lambda rows: st.sampled_from([*LAYOUT, "BYTES"]).map(
    lambda datatype: {"name": "x", "shape": [rows, 2], "datatype": datatype, "data": [1, 0] * rows}))  # fmt: skip
requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensor_like | likely, max_size=6) | junk},
    optional={"id": st.text(max_size=3) | junk, "parameters": junk | st.just({"binary_data_output": True}),
              "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["predict", "probabilities", "y"])},
                                                        optional={"parameters": junk}), max_size=3) | junk},
)  # fmt: skip


@given(requests, st.binary(max_size=80), st.sampled_from(sorted(MODELS)), st.booleans())
@examples(1500, 3000)
def test_any_bytes_are_parsed_or_refused(request: Any, raw: bytes, model: str, announced: bool) -> None:
    """Any tensors give rows that fit the schema, or a Problem with a message. There is no other exception."""
    text = json.dumps(request).encode()
    try:
        found = infer_request.parse(MODELS[model], text + raw, len(text) if announced else None, ROWS)
    except Problem as problem:
        assert 400 <= problem.status < 500 and str(problem)
        return
    assert len(found.columns) == len(MODELS[model].schema.columns)
    assert {len(column) for column in found.columns} == {found.rows} and 0 < found.rows <= ROWS


rows_of = st.integers(1, 5).flatmap(lambda n: st.tuples(*[st.lists(st.floats(width=64), min_size=n, max_size=n)] * 2))


@given(rows_of)
@examples(200, 500)
def test_matrix_columns_json_and_bytes_mean_the_same(columns: tuple[list[float], list[float]]) -> None:
    rows = len(columns[0])
    flat = [value for row in zip(*columns, strict=True) for value in row]
    matrix = {"name": "x", "shape": [rows, 2], "datatype": "FP64"}
    asked: list[tuple[Any, bytes]] = [
        ([matrix | {"data": flat}], b""),
        ([matrix | {"data": [list(row) for row in zip(*columns, strict=True)]}], b""),
        (
            [{"name": n, "shape": [rows], "datatype": "FP64", "data": c} for n, c in zip("ab", columns, strict=True)],
            b"",
        ),
        ([binary("x", "FP64", flat, [rows, 2])[0]], np.array(flat).tobytes()),
    ]
    found: list[Any] = []
    for inputs, raw in asked:
        try:
            found.append([list(column) for column in parse(inputs, raw, "numbers").columns])
        except Problem as problem:
            found.append(str(problem))
    assert all(each == found[0] for each in found), found
    assert isinstance(found[0], str) == (any(map(math.isinf, flat)) or any(math.isnan(value) for value in columns[1]))
