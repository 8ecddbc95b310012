"""A table of unusual rows gets the same predictions through every protocol."""

import csv
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server import Server

# `number` has gaps in the training, so do `flag`, `day` and `text`; `whole` has none.
GAPLESS = {"number": 0.5, "whole": 3, "flag": True, "day": "2024-02-29", "text": "NA", "zip": "00501"}
ODD: dict[str, list[Any]] = {
    "number": [None, 0, -0.0, 0.1, 1e308, -1e308, 5e-324, 2**53 + 1, -(2**63), 2**64 - 1, 123456789012345680, 1.5],
    "whole": [0, 1, -1, 10**6, 2**53 + 1, 2**62, -(2**63)],
    "flag": [True, False, None],
    "day": [None, "2024-02-29", "1969-12-31T23:59:59.5", "2024-01-01T00:30:00+14:00", "0001-01-01", "9999-12-31"],
    "text": [None, "NA", "null", "-", " ", "a,b", 'a "b"', "a\nb", "a\r\nb", "\ufeffx", "é", "e\u0301", "🙂", "\u2028",
             "\u0661", "x" * 3000, "1e999", "nan", "never seen", "\\"],
    "zip": ["00501", "501", "90210", ""],
}  # fmt: skip
ROWS: list[dict[str, Any]] = [GAPLESS | {name: value} for name, values in ODD.items() for value in values]
# It tells every value from every other, so that no wire can change one unseen.
SCORES = """
def build(): return Scores()
class Scores:
    def fit(self, X, y): self.answer_ = 0
    def predict(self, X): return [self.number(row) for row in X.itertuples(index=False)]
    def number(self, row): return float(sum((i + 1) * self.value(value) for i, value in enumerate(row)))
    def value(self, value):
        if value != value: return 0.123
        text = value if isinstance(value, str) else repr(float(value))
        return sum(ord(c) * (j + 1) for j, c in enumerate(text)) % 100003
def score(model, X, y): return {"none": 0.0}
"""


def table(rows: list[dict[str, Any]], **more: list[Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*rows[0], *more])
    extra = zip(*more.values(), strict=True) if more else [()] * len(rows)
    for row, rest in zip(rows, extra, strict=True):
        writer.writerow([*map(cell, row.values()), *rest])
    return out.getvalue()


def cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], fork: Callable[..., Path]) -> Server:
    server = serve(fork(odd=SCORES), WEB_CONCURRENCY="1", DEFAULT_MODEL="odd", AIP_PREDICT_ROUTE="/vertex:predict")
    known = [GAPLESS, GAPLESS | {"flag": False}, GAPLESS | dict.fromkeys(("number", "flag", "day", "text", "zip"))] * 20
    server.train(table(known, label=[i / 7 for i in range(60)]), "label", model="odd").raise_for_status()
    kinds = {c["name"]: c["kind"] for c in server.client.get("/models/odd").json()["live"]["features"]["columns"]}
    assert list(kinds.values()) == ["number", "number", "flag", "date", "text", "text"]
    return server


@pytest.fixture(scope="module")
def wanted(server: Server) -> list[float]:
    found = server.predict(ROWS, "odd").json()["predictions"]
    assert len({*found}) > 40  # the odd rows are told apart
    return found


def answered(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_csv(server: Server) -> Any:
    return answered(server.predict_csv(table(ROWS), model="odd"))["predictions"]


def by_arrays(server: Server) -> Any:
    return answered(server.predict([list(row.values()) for row in ROWS], "odd"))["predictions"]


def by_single_rows(server: Server) -> Any:
    return [server.predict([row], "odd").json()["predictions"][0] for row in ROWS]


def by_kserve_v1(server: Server) -> Any:
    return answered(server.client.post("/v1/models/odd:predict", json={"instances": ROWS}))["predictions"]


def described(server: Server) -> dict[str, str]:
    return {t["name"]: t["datatype"] for t in server.client.get("/v2/models/odd").json()["inputs"]}


def by_oip_json(server: Server) -> Any:
    inputs = [
        {"name": name, "shape": [len(ROWS)], "datatype": datatype, "data": [row[name] for row in ROWS]}
        for name, datatype in described(server).items()
    ]
    answer = answered(server.client.post("/v2/models/odd/infer", json={"inputs": inputs}))
    return answer["outputs"][0]["data"]


def by_oip_json_row_by_row(server: Server) -> Any:
    kinds, found = described(server), []
    for row in ROWS:
        inputs = [{"name": n, "shape": [1, 1], "datatype": d, "data": [[row[n]]]} for n, d in kinds.items()]
        answer = server.client.post(
            "/v2/models/odd/infer", json={"inputs": inputs, "parameters": {"content_type": "pd"}}
        )
        found += answered(answer)["outputs"][0]["data"]
    return found


def by_oip_binary(server: Server) -> Any:
    """Send missing values as NaN or an empty string, and a flag with missing values as FP32."""
    inputs, raw = [], b""
    for name, datatype in described(server).items():
        values: list[Any] = [row[name] for row in ROWS]
        if datatype == "BYTES":
            texts = [(value or "").encode() for value in values]
            part = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        else:
            datatype = "FP32" if datatype == "BOOL" else datatype
            part = np.array(values, dtype="<f4" if datatype == "FP32" else "<f8").tobytes()
        size = {"binary_data_size": len(part)}
        inputs.append({"name": name, "shape": [len(ROWS)], "datatype": datatype, "parameters": size})
        raw += part
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"inference-header-content-length": str(len(text))}
    answer = server.client.post("/v2/models/odd/infer", content=text + raw, headers=headers)
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content[int(answer.headers["inference-header-content-length"]) :], "<f8").tolist()


def invoked(server: Server, kind: str, body: str | bytes, accept: str = "application/json") -> list[Any]:
    headers = {"content-type": kind, "accept": accept}
    answer = server.client.post("/invocations", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    if accept == "application/json":
        return answer.json()["predictions"]
    cells = answer.text.split()
    return [json.loads(cell)["prediction"] if accept == "application/jsonlines" else float(cell) for cell in cells]


def by_vertex(server: Server) -> Any:
    return answered(server.client.post("/vertex:predict", json={"instances": ROWS}))["predictions"]


def by_invocations_csv(server: Server) -> Any:
    return invoked(server, "text/csv", table(ROWS))


def by_invocations_csv_without_a_header(server: Server) -> Any:
    return invoked(server, "text/csv", table(ROWS).partition("\n")[2], "text/csv")


def by_invocations_json_lines(server: Server) -> Any:
    body = "\n".join(map(json.dumps, ROWS))
    return invoked(server, "application/jsonlines", body, "application/jsonlines")


def by_invocations_split(server: Server) -> Any:
    """Send the columns in reverse order, and missing values as pandas writes them."""
    names = list(ROWS[0])[::-1]
    data = [[float("nan") if row[name] is None else row[name] for name in names] for row in ROWS]
    return invoked(server, "application/json", json.dumps({"dataframe_split": {"columns": names, "data": data}}))


def by_invocations_records(server: Server) -> Any:
    return invoked(server, "application/json", json.dumps({"dataframe_records": ROWS}))


def by_invocations_inputs(server: Server) -> Any:
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    return invoked(server, "application/json", json.dumps({"inputs": columns}))


WIRES = [
    by_csv,
    by_arrays,
    by_single_rows,
    by_kserve_v1,
    by_oip_json,
    by_oip_json_row_by_row,
    by_oip_binary,
    by_vertex,
    by_invocations_csv,
    by_invocations_csv_without_a_header,
    by_invocations_json_lines,
    by_invocations_split,
    by_invocations_records,
    by_invocations_inputs,
]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.__name__)
def test_odd_rows_are_predicted_the_same_by_every_wire(
    server: Server, wanted: list[float], wire: Callable[[Server], list[float]]
) -> None:
    assert wire(server) == wanted
