"""NumPy arrays as application/x-npy in requests and answers. Nothing is unpickled."""

import io
import json
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from server import Server

from ML.errors import Problem
from rest_api.protocols.invocations import arrays

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]
LABELS = ["setosa", "virginica", "versicolor"]
NPY = "application/x-npy"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(WEB_CONCURRENCY="1", PROTOCOLS="sagemaker", MAX_ROWS="5000")


def saved(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array), **options)
    return out.getvalue()


def raw(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return an .npy file with the given header."""
    size = len(header.encode()).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + size + header.encode() + data


def shaped(shape: str, descr: str = "'<f8'", data: bytes = b"") -> bytes:
    return raw(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}", data)


def invoke(server: Server, body: bytes, accept: str = "application/json", kind: str = NPY) -> httpx.Response:
    headers = {"content-type": kind, "accept": accept}
    return server.client.post("/invocations", content=body, headers=headers)


TABLE = np.array(ROWS)
SENT = {
    "doubles": TABLE,
    "the other byte order": TABLE.astype(">f8"),
    "columns first": np.asfortranarray(TABLE),
    "floats": TABLE.astype("f4"),
    "halves": TABLE.astype("f2"),
    "long doubles": TABLE.astype(np.longdouble),
    "a view": np.repeat(TABLE, 2, axis=0)[::2],
}


@pytest.mark.parametrize("table", SENT.values(), ids=SENT)
def test_an_array_is_predicted_as_its_rows_are(server: Server, table: Any) -> None:
    answer = invoke(server, saved(table))
    assert (answer.status_code, answer.json()) == (200, {"predictions": LABELS})


def test_integers_gaps_and_a_single_row(server: Server) -> None:
    for dtype in ("i8", "u1", "<i2", ">u4"):
        table = TABLE.astype(dtype)
        wanted = server.predict(table.astype(float).tolist()).json()["predictions"]
        assert invoke(server, saved(table)).json() == {"predictions": wanted}
    gap = TABLE.copy()
    gap[0, 3] = np.nan
    wanted = server.predict([[5.1, 3.5, 1.4, None], *ROWS[1:]]).json()["predictions"]
    assert invoke(server, saved(gap)).json() == {"predictions": wanted}
    assert invoke(server, saved(TABLE[0])).json() == {"predictions": LABELS[:1]}


def test_predictions_come_as_an_array(server: Server) -> None:
    for kind, body in ((NPY, saved(TABLE)), ("application/json", json.dumps(ROWS).encode())):
        answer = invoke(server, body, NPY, kind)
        assert answer.headers["content-type"] == NPY
        assert np.load(io.BytesIO(answer.content), allow_pickle=False).tolist() == LABELS
    many = invoke(server, saved(np.repeat(TABLE, 1000, axis=0)), NPY)
    assert np.load(io.BytesIO(many.content)).tolist() == np.repeat(LABELS, 1000).tolist()


def test_probabilities_have_no_place_in_it(server: Server) -> None:
    body = json.dumps({"instances": ROWS, "params": {"probabilities": True}}).encode()
    answer = invoke(server, body, NPY, "application/json")
    assert answer.status_code == 406 and "no place for probabilities" in answer.json()["message"]


class Harmful:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit",)


WRONG: dict[str, tuple[bytes, str]] = {
    "objects": (saved(np.array([[Harmful()] * 4], dtype=object), allow_pickle=True), "are not read, objects least"),
    "a pickle": (pickle.dumps(ROWS), "does not begin as a .npy file"),
    "an archive": (b"PK\x03\x04" + bytes(100), "does not begin as a .npy file"),
    "nothing": (b"", "does not begin"),
    "an unknown version": (raw("{}", version=b"\x09\x00"), "does not begin"),
    "records": (saved(np.zeros(2, dtype=[("a", "f8")])), "are not read"),
    "dates": (saved(np.zeros((1, 4), dtype="M8[s]")), "are not read"),
    "complex numbers": (saved(np.zeros((1, 4), dtype=complex)), "are not read"),
    "a size that is none": (shaped("(1, 4)", "'<f3'"), "are not read"),
    "data cut off": (saved(TABLE)[:-1], "has 96 bytes, and the data 95"),
    "data too long": (saved(TABLE) + b"\0", "and the data 97"),
    "another width": (saved(TABLE[:, :3]), "the model takes (rows, 4)"),
    "three dimensions": (saved(TABLE[None]), "the model takes (rows, 4)"),
    "no dimension": (saved(1.0), "the model takes (rows, 4)"),
    "no rows": (saved(TABLE[:0]), "no rows"),
    "a negative shape": (shaped("(-1, 4)"), "not that of an array"),
    "flags for a shape": (shaped("(True, 4)"), "not that of an array"),
    "a call": (shaped("__import__('os').getpid()"), "not that of an array"),
    "no header": (raw("{}"), "not that of an array"),
    "a header that nests": (raw("(" * 9000), "not that of an array"),
    "a header of minus signs": (raw("-" * 9000 + "1"), "not that of an array"),
    "a header too long": (raw(" " * 20_000), "20000 bytes"),
    "a header cut off": (saved(TABLE)[:40], "its header is said"),
    "texts": (saved([["a", "b", "c", "d"]]), "row 1, sepal_length"),
    "texts without letters": (shaped("(1, 4)", "'<U0'"), "no letters"),
    "bytes that are no text": (saved(np.array([[b"\xff"] * 4])), "not UTF-8"),
    "an impossible letter": (shaped("(1, 4)", "'<U1'", b"\xff" * 16), "letters that Unicode has not"),
    "half a letter": (shaped("(1, 4)", "'>U1'", b"\0\0\xd8\0" * 4), "letters that Unicode has not"),
    "infinity": (saved([[np.inf, 1, 1, 1]]), "row 1, sepal_length: the number is not finite"),
}


@pytest.mark.parametrize(("body", "says"), WRONG.values(), ids=WRONG)
def test_an_array_that_is_not_a_table_of_numbers_is_refused(server: Server, body: bytes, says: str) -> None:
    answer = invoke(server, body)
    assert (answer.status_code, list(answer.json())) == (400, ["message"]), answer.text
    assert says in answer.json()["message"]


@pytest.mark.parametrize("shape", ["(5001, 4)", "(10**15, 4)".replace("10**15", str(10**15)), f"({2**63}, 4)"])
def test_more_rows_than_allowed_are_refused(server: Server, shape: str) -> None:
    answer = invoke(server, shaped(shape))
    assert answer.status_code == 413 and "MAX_ROWS" in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [shaped(f"({10**9}, 4)"), shaped(f"(4, {10**12})"), shaped("(1, 4)", "'<U900000000'"), shaped(f"({2**40},)")],
)
def test_nothing_is_allocated_for_a_shape_without_its_data(body: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(Problem):
        arrays.values(body, 4, 10**10)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("found", "kind", "read"),
    [
        ([1.5, float("nan")], "f", [1.5, float("nan")]),
        ([1, 2], "i", [1, 2]),
        ([1, 2.5], "f", [1.0, 2.5]),
        ([True, False], "b", [True, False]),
        (["a", None], "U", ["a", ""]),
        ([2**70, 1], "U", [str(2**70), "1"]),
        ([True, "a"], "U", ["True", "a"]),
        ([None], "U", [""]),
    ],
)
def test_predictions_are_written_with_their_own_type(found: list[Any], kind: str, read: list[Any]) -> None:
    array = np.load(io.BytesIO(arrays.packed(found, 10**6)), allow_pickle=False)
    assert array.dtype.kind == kind and len(array) == len(found)
    assert str(array.tolist()) == str(read)


def test_labels_that_would_take_too_much_are_refused_before_they_do() -> None:
    labels = ["a" * 10_000, *["b"] * 100_000]  # as an array, 4 GB
    tracemalloc.start()
    with pytest.raises(Problem, match="Accept text/csv"):
        arrays.packed(labels, 10**8)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
