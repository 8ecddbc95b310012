"""A body of MAX_BODY_MB, whatever is in it, costs at most six times as much memory, and time in proportion."""

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from server import CSV, Server

pytestmark = [pytest.mark.exclusive, pytest.mark.timeout(600)]

MB = 2**20
BODY = 20
SIZE = BODY * MB - 2000
HEADER = b"sepal_length,sepal_width,petal_length,petal_width\n"
TARGET = HEADER[:-1] + b",species\n"
JSON = "application/json"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    server = serve(WEB_CONCURRENCY="1", MAX_BODY_MB=str(BODY), MAX_QUEUE_MS="600000")
    # Idle is a worker that has served: its libraries are loaded, its heap has its usual size.
    assert server.predict([[1, 1, 1, 1]] * 1000).status_code == 200
    for _ in range(2):
        assert server.predict_csv(HEADER + b"1,1,1,1\n" * 50_000).status_code == 200
    return server


def worker(server: Server) -> Path:
    found = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True)
    return Path("/proc") / found.stdout.split()[0]


def memory(process: Path, field: str) -> int:
    line = next(line for line in (process / "status").read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def cpu(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def filled(unit: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
    """A body of about 20 MB that repeats `unit`."""
    return start + unit * ((SIZE - len(start) - len(end)) // len(unit)) + end


def rows(unit: bytes) -> bytes:
    return filled(unit + b",", b'{"instances": [', unit + b"]}")


def cost(server: Server, path: str, body: bytes, kind: str) -> tuple[int, int, float, str]:
    """Status, bytes and seconds of the worker, and the answer."""
    process = worker(server)
    before, started = memory(process, "VmRSS"), cpu(process)
    (process / "clear_refs").write_text("5")
    if kind == "form":
        fields = {"target_variable": "species"} if path == "/train_model" else {}
        answer = server.client.post(path, files={"csv_file": body}, data=fields)
    else:
        answer = server.client.post(path, content=body, headers={"content-type": kind})
    return answer.status_code, memory(process, "VmHWM") - before, cpu(process) - started, answer.text


TABLES = {
    "a header of commas": (filled(b","), {422}),
    "a header of names": (b",".join(b"%x" % i for i in range(2_700_000))[:SIZE], {422}),
    "a header that never ends": (filled(b"a\n", b'"'), {422}),
    "blank lines": (filled(b"\n", HEADER), {422}),
    "a row of commas": (filled(b",", HEADER), {422}),
    "a huge cell": (filled("😀x".encode(), HEADER + b'"', b'",1,1,1\n'), {422}),
    "quotes": (filled(b'""', HEADER + b'"'), {422}),
    "ragged rows": (filled(b"1\n", HEADER), {422}),
    "a million rows": (HEADER + b"1,1,1,1\n" * 1_000_000, {200}),
    "more rows than allowed": (filled(b"1,1,1,1\n", HEADER), {413}),
    "NUL bytes": (filled(b"\0", HEADER + b"1,1,1,1\n" * 1000), {422}),
    "JSON": (rows(b"[1]"), {422}),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", TABLES)
def test_a_table_of_any_shape_is_predicted_or_refused_in_little_memory(
    server: Server, shape: str, packed: bool
) -> None:
    body, statuses = TABLES[shape]
    body = gzip.compress(body, 1) if packed else body
    status, grown, seconds, text = cost(server, "/get_prediction", body, "form")
    assert status in statuses, text[:300]
    assert grown < 6 * BODY * MB, f"{grown / MB:.0f} MB"
    assert seconds < 30 and (status == 200 or len(text) < 100_000)
    if not shape.endswith("rows") or "ragged" in shape:  # SageMaker's rows have no header
        status, grown, seconds, text = cost(server, "/invocations", body, CSV)
        assert status in (400, 413, 422) and grown < 6 * BODY * MB, f"{status}, {grown / MB:.0f} MB"


TRAININGS = {
    "unique labels": TARGET + b"".join(b"1,1,1,1,%07x\n" % i for i in range(999_000)),
    "unique numbers": TARGET + b"".join(b"1,1,1,1,0.%07d\n" % i for i in range(999_000)),
    "no label": TARGET + b"1,1,1,1,\n" * 999_000,
    "one label": TARGET + b"1,1,1,1,a\n" * 999_000,
    "a header of commas": filled(b","),
    "a row of commas": filled(b",", TARGET),
}


@pytest.mark.parametrize("shape", TRAININGS)
def test_a_table_that_can_not_be_trained_is_refused_in_little_memory(server: Server, shape: str) -> None:
    status, grown, seconds, text = cost(server, "/train_model", TRAININGS[shape], "form")
    assert status == 422, text[:300]
    assert grown < 6 * BODY * MB and seconds < 30, f"{grown / MB:.0f} MB, {seconds} s"


FEW = b'{"instances": [[1,1,1,1]], "parameters": {'
KEYS = b",".join(b'"%x":1' % i for i in range(1_700_000))[:SIZE].rpartition(b",")[0]
BODIES = {
    "a million arrays": (b'{"instances": [' + b",".join([b"[1,1,1,1]"] * 1_000_000) + b"]}", {200}),
    "objects": (rows(b'{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'), {200}),
    "empty arrays": (rows(b"[]"), {413}),
    "empty objects": (rows(b"{}"), {413}),
    "arrays of one number": (rows(b"[1e308]"), {413}),
    "numbers for rows": (rows(b"1"), {413}),
    "nested arrays": (rows(b"[[1],[1]]"), {413, 422}),
    "deep arrays": (filled(b"["), {413, 422}),
    "a deep row": (filled(b"[", b'{"instances": ['), {422}),
    "wrong rows": (b'{"instances": [' + b",".join([b'["a",1,1,1]'] * 900_000) + b"]}", {422}),
    "a long string": (filled("😀x".encode(), b'{"instances": [["', b'",1,1,1]]}'), {422}),
    "escapes": (filled(b"\\ud83d\\ude00", b'{"instances": [["', b'",1,1,1]]}'), {422}),
    "many keys": (b'{"instances": [{' + KEYS[: SIZE - 30].rpartition(b",")[0] + b"}]}", {422}),
    "large parameters": (FEW + KEYS[: SIZE - 100].rpartition(b",")[0] + b"}}", {422}),
    "a list": (filled(b"[1,1,1,1],", b"[", b"[1,1,1,1]]"), {422}),
    "quotes": (filled(b'"', b'{"instances": ['), {422}),
    "escaped quotes": (filled(b'\\"', b'{"instances": ["'), {422}),
    "a row that never ends": (filled(b" ", b'{"instances": ['), {422}),
}  # fmt: skip


@pytest.mark.parametrize("shape", BODIES)
def test_json_of_any_shape_is_predicted_or_refused_in_little_memory(server: Server, shape: str) -> None:
    body, statuses = BODIES[shape]
    status, grown, seconds, text = cost(server, "/predict", body, JSON)
    assert status in statuses, text[:300]
    assert grown < 6 * BODY * MB and seconds < 30, f"{grown / MB:.0f} MB, {seconds} s"
    assert status == 200 or len(text) < 100_000


def tensor(data: bytes, rows: int) -> bytes:
    return b'{"inputs":[{"name":"x","shape":[%d,4],"datatype":"FP64","data":%s}]}' % (rows, data)


TENSORS = {
    "numbers": tensor(b"[" + b",".join([b"1.5"] * 4_000_000) + b"]", 1_000_000),
    "rows": tensor(b"[" + b",".join([b"[1,1,1,1]"] * 1_000_000) + b"]", 1_000_000),
    "empty arrays": tensor(filled(b"[],", b"[", b"[]]")[:-200] + b"]", 1),
    "a long string": tensor(b'["' + filled("😀x".encode())[:-200] + b'"]', 1),
}


@pytest.mark.parametrize("shape", TENSORS)
def test_tensors_in_json_are_predicted_or_refused_in_little_memory(server: Server, shape: str) -> None:
    status, grown, seconds, text = cost(server, "/v2/models/classifier/infer", TENSORS[shape], JSON)
    assert status in (200, 400, 413, 422), text[:300]
    assert grown < 6 * BODY * MB and seconds < 30, f"{grown / MB:.0f} MB, {seconds} s"


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [{' + b",".join(b'"petal_%d": 1' % i for i in range(9_000)) + b"}]}",
        b'{"instances": [{"' + b"petal_length" * 3_400 + b'": 1, "' + b"sepal_length" * 3_400 + b'": 1}]}',
        b'{"instances": [{' + b",".join(b'"c%d": 1' % i for i in range(80_000)) + b"}]}",
    ],
    ids=["9,000 names", "names of 40,000 characters", "80,000 names"],
)
def test_unknown_names_are_refused_within_a_second(server: Server, body: bytes) -> None:
    status, _, seconds, text = cost(server, "/predict", body, JSON)
    assert (status, seconds < 1, len(text) < 20_000) == (422, True, True), (seconds, text[:300])


def test_a_table_of_80_000_columns_is_refused_within_a_second(server: Server) -> None:
    body = b",".join(b"c%d" % i for i in range(80_000)) + b"\n" + b",".join([b"1"] * 80_000) + b"\n"
    for path in ("/get_prediction", "/train_model"):
        status, _, seconds, text = cost(server, path, body, "form")
        assert (status, seconds < 1) == (422, True), seconds
        assert "at most 10,000 columns" in text and len(text) < 1000


@pytest.mark.parametrize("text", [b'"', b'\\"', b"\\", b"[", b" ", b'"[",', b'"a"]'], ids=repr)
def test_a_small_packed_body_stalls_no_worker(server: Server, text: bytes) -> None:
    """Repeated, each of these fits into a few kilobytes of gzip."""
    for start in (b'{"instances": ["', b'{"inputs": ["', b'["'):
        body = filled(text, start)
        for path in ("/predict", "/invocations", "/v2/models/classifier/infer"):
            status, _, seconds, answer = cost(server, path, body, JSON)
            assert status in (400, 413, 422) and seconds < 5, (path, status, seconds, answer[:200])
