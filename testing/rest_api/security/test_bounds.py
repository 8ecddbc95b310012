"""A body of MAX_BODY_MB with any content takes at most six times as much memory, and proportional time."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from server import CSV, Server

pytestmark = pytest.mark.timeout(600)

MB = 2**20
BODY = 20
SIZE = BODY * MB - 2000
HEADER = b"sepal_length,sepal_width,petal_length,petal_width\n"
TARGET = HEADER[:-1] + b",species\n"
JSON = "application/json"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    server = serve(coverage=False, WEB_CONCURRENCY="1", MAX_BODY_MB=str(BODY), MAX_QUEUE_MS="600000")
    # Idle is a worker that has served: its libraries are loaded, its heap has its usual size.
    assert server.predict([[1, 1, 1, 1]] * 1000).status_code == 200
    for _ in range(2):
        assert server.predict_csv(HEADER + b"1,1,1,1\n" * 50_000).status_code == 200
    return server


def worker(server: Server) -> Path:
    return Path("/proc") / str(server.workers[0])


def memory(process: Path, field: str) -> int:
    line = next(line for line in (process / "status").read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def cpu(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def filled(unit: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
    """Return a body of about 20 MB that repeats `unit`."""
    return start + unit * ((SIZE - len(start) - len(end)) // len(unit)) + end


def rows(unit: bytes) -> bytes:
    return filled(unit + b",", b'{"instances": [', unit + b"]}")


def cost(server: Server, path: str, body: bytes, kind: str) -> tuple[int, int, float, str]:
    """Return the status, the worker's additional memory in bytes and CPU time in seconds, and the answer."""
    process = worker(server)
    before, started = memory(process, "VmRSS"), cpu(process)
    (process / "clear_refs").write_text("5")
    if kind == "form":
        fields = {"target_variable": "species"} if path == "/train_model" else {}
        answer = server.client.post(path, files={"csv_file": body}, data=fields)
    else:
        answer = server.client.post(path, content=body, headers={"content-type": kind})
    return answer.status_code, memory(process, "VmHWM") - before, cpu(process) - started, answer.text


# Bodies are made when a test needs them: all together take a gigabyte.
TABLES: dict[str, tuple[Callable[[], bytes], set[int]]] = {
    "a header of commas": (lambda: filled(b","), {422}),
    "a header of names": (lambda: b",".join(b"%x" % i for i in range(2_700_000))[:SIZE], {422}),
    "a header that never ends": (lambda: filled(b"a\n", b'"'), {422}),
    "blank lines": (lambda: filled(b"\n", HEADER), {422}),
    "a row of commas": (lambda: filled(b",", HEADER), {422}),
    "a huge cell": (lambda: filled("😀x".encode(), HEADER + b'"', b'",1,1,1\n'), {422}),
    "quotes": (lambda: filled(b'""', HEADER + b'"'), {422}),
    "ragged rows": (lambda: filled(b"1\n", HEADER), {422}),
    "a million rows": (lambda: HEADER + b"1,1,1,1\n" * 1_000_000, {200}),
    "more rows than allowed": (lambda: filled(b"1,1,1,1\n", HEADER), {413}),
    "NUL bytes": (lambda: filled(b"\0", HEADER + b"1,1,1,1\n" * 1000), {422}),
    "JSON": (lambda: rows(b"[1]"), {422}),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", TABLES)
def test_a_table_of_any_shape_is_predicted_or_refused_in_little_memory(
    server: Server, shape: str, packed: bool
) -> None:
    make, statuses = TABLES[shape]
    body = gzip.compress(make(), 1) if packed else make()
    status, grown, seconds, text = cost(server, "/get_prediction", body, "form")
    assert status in statuses, text[:300]
    assert grown < 6 * BODY * MB, f"{grown / MB:.0f} MB"
    assert seconds < 30 and (status == 200 or len(text) < 100_000)
    if not shape.endswith("rows") or "ragged" in shape:  # SageMaker's rows have no header
        status, grown, seconds, text = cost(server, "/invocations", body, CSV)
        assert status in (400, 413, 422) and grown < 6 * BODY * MB, f"{status}, {grown / MB:.0f} MB"


TRAININGS = {
    "unique labels": lambda: TARGET + b"".join(b"1,1,1,1,%07x\n" % i for i in range(999_000)),
    "unique numbers": lambda: TARGET + b"".join(b"1,1,1,1,0.%07d\n" % i for i in range(999_000)),
    "no label": lambda: TARGET + b"1,1,1,1,\n" * 999_000,
    "one label": lambda: TARGET + b"1,1,1,1,a\n" * 999_000,
    "a header of commas": lambda: filled(b","),
    "a row of commas": lambda: filled(b",", TARGET),
}


@pytest.mark.parametrize("shape", TRAININGS)
def test_a_table_that_can_not_be_trained_is_refused_in_little_memory(server: Server, shape: str) -> None:
    status, grown, seconds, text = cost(server, "/train_model", TRAININGS[shape](), "form")
    assert status == 422, text[:300]
    assert grown < 6 * BODY * MB and seconds < 30, f"{grown / MB:.0f} MB, {seconds} s"


FEW = b'{"instances": [[1,1,1,1]], "parameters": {'


def keys(size: int) -> bytes:
    """Return members of a JSON object, of at most this many bytes."""
    return b",".join(b'"%x":1' % i for i in range(1_700_000))[:size].rpartition(b",")[0]


BODIES: dict[str, tuple[Callable[[], bytes], set[int]]] = {
    "a million arrays": (lambda: b'{"instances": [' + b",".join([b"[1,1,1,1]"] * 1_000_000) + b"]}", {200}),
    "objects": (lambda: rows(b'{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'), {200}),
    "empty arrays": (lambda: rows(b"[]"), {413}),
    "empty objects": (lambda: rows(b"{}"), {413}),
    "arrays of one number": (lambda: rows(b"[1e308]"), {413}),
    "numbers for rows": (lambda: rows(b"1"), {413}),
    "nested arrays": (lambda: rows(b"[[1],[1]]"), {413, 422}),
    "deep arrays": (lambda: filled(b"["), {413, 422}),
    "a deep row": (lambda: filled(b"[", b'{"instances": ['), {422}),
    "wrong rows": (lambda: b'{"instances": [' + b",".join([b'["a",1,1,1]'] * 900_000) + b"]}", {422}),
    "a long string": (lambda: filled("😀x".encode(), b'{"instances": [["', b'",1,1,1]]}'), {422}),
    "escapes": (lambda: filled(b"\\ud83d\\ude00", b'{"instances": [["', b'",1,1,1]]}'), {422}),
    "many keys": (lambda: b'{"instances": [{' + keys(SIZE - 30) + b"}]}", {422}),
    "large parameters": (lambda: FEW + keys(SIZE - 100) + b"}}", {422}),
    "a list": (lambda: filled(b"[1,1,1,1],", b"[", b"[1,1,1,1]]"), {422}),
    "quotes": (lambda: filled(b'"', b'{"instances": ['), {422}),
    "escaped quotes": (lambda: filled(b'\\"', b'{"instances": ["'), {422}),
    "a row that never ends": (lambda: filled(b" ", b'{"instances": ['), {422}),
}  # fmt: skip


@pytest.mark.parametrize("shape", BODIES)
def test_json_of_any_shape_is_predicted_or_refused_in_little_memory(server: Server, shape: str) -> None:
    make, statuses = BODIES[shape]
    status, grown, seconds, text = cost(server, "/predict", make(), JSON)
    assert status in statuses, text[:300]
    assert grown < 6 * BODY * MB and seconds < 30, f"{grown / MB:.0f} MB, {seconds} s"
    assert status == 200 or len(text) < 100_000


def tensor(data: bytes, rows: int) -> bytes:
    return b'{"inputs":[{"name":"x","shape":[%d,4],"datatype":"FP64","data":%s}]}' % (rows, data)


TENSORS = {
    "numbers": lambda: tensor(b"[" + b",".join([b"1.5"] * 4_000_000) + b"]", 1_000_000),
    "rows": lambda: tensor(b"[" + b",".join([b"[1,1,1,1]"] * 1_000_000) + b"]", 1_000_000),
    "empty arrays": lambda: tensor(filled(b"[],", b"[", b"[]]")[:-200] + b"]", 1),
    "a long string": lambda: tensor(b'["' + filled("😀x".encode())[:-200] + b'"]', 1),
}


@pytest.mark.parametrize("shape", TENSORS)
def test_tensors_in_json_are_predicted_or_refused_in_little_memory(server: Server, shape: str) -> None:
    status, grown, seconds, text = cost(server, "/v2/models/classifier/infer", TENSORS[shape](), JSON)
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
    """Repeated, each of these compresses to a few kilobytes."""
    for start in (b'{"instances": ["', b'{"inputs": ["', b'["'):
        body = filled(text, start)
        for path in ("/predict", "/invocations", "/v2/models/classifier/infer"):
            status, _, seconds, answer = cost(server, path, body, JSON)
            assert status in (400, 413, 422) and seconds < 5, (path, status, seconds, answer[:200])
