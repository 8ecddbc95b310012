"""The four formats of /invocations, for rows and for predictions: JSON, JSON Lines, CSV and NumPy arrays."""

import csv
import io
from typing import Any, NamedTuple

from fastapi import Response
from pydantic_core import from_json, to_json

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.answers import Answer
from ML.prediction.predictor import Predictor
from ML.schema import csv_rows, json_size
from ML.schema.json_rows import ParsedRows
from ML.tables import header as headerless
from ML.tables.csv_table import check_rows
from ML.versions.card import Card
from rest_api.answers import platform_fields
from rest_api.protocols.invocations import arrays, dataframes
from rest_api.protocols.oip import model_signature

JSON, LINES, CSV, NPY = "application/json", "application/jsonlines", "text/csv", "application/x-npy"
KINDS = {JSON: JSON, CSV: CSV, NPY: NPY, LINES: LINES, **dict.fromkeys(
    ("application/x-jsonlines", "application/jsonl", "application/x-jsonl", "application/x-ndjson"), LINES
)}  # fmt: skip
"""The accepted media types of each format. JSON Lines has no registered one."""


class Rows(NamedTuple):
    """Parsed rows, and the format of the answer unless the Accept header names another."""

    parsed: ParsedRows
    answer: str


def of_csv(live: Predictor, body: bytes, header: bool | None) -> Rows:
    """Parse CSV. SageMaker sends no header and expects CSV; MLflow sends one and expects JSON."""
    names, target = live.schema.names, live.target.name
    table, named = headerless.read(body, names, target, settings().max_body_bytes, header)
    columns, _ = csv_rows.from_table(live.schema, table, target, settings().max_rows)
    unused = live.schema.unused([*table.header, *table.unnamed], target)
    return Rows(ParsedRows(columns, len(columns[0]), False, unused), JSON if named else CSV)


def of_lines(live: Predictor, body: bytes, header: bool | None = None) -> Rows:
    """Parse JSON Lines: one row per line, as an object or an array."""
    json_size.check_size(body, settings().max_rows, len(live.schema.names))
    check_rows(body.count(b"\n") - 1, settings().max_rows)
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    return Rows(dataframes.convert(live, "row", [_line(*each) for each in lines]), LINES)


def of_json(live: Predictor, body: bytes, header: bool | None = None) -> Rows:
    """Parse JSON: one of MLflow's four forms, or an array of rows, which SageMaker's SDK sends."""
    return Rows(dataframes.parse(live, body, bare=True), JSON)


def of_npy(live: Predictor, body: bytes, header: bool | None = None) -> Rows:
    """Parse a NumPy array, its columns in the order of the model."""
    flat, rows = arrays.values(body, len(live.schema.names), settings().max_rows)
    return Rows(ParsedRows(model_signature.of(live).columns.matrix(flat), rows, False, []), JSON)


def render(kind: str, card: Card, answer: Answer, unused: list[str]) -> Response:
    """Return predictions as JSON, JSON Lines, CSV or an array. All but the array include any probabilities."""
    if KINDS[kind] == JSON:
        body = to_json(platform_fields(card, answer, unused), inf_nan_mode="null")
    elif KINDS[kind] == LINES:
        rows: list[dict[str, Any]] = [{"prediction": label} for label in answer.predictions]
        for row, share in zip(rows, answer.probabilities or (), strict=False):
            row["probabilities"] = share
        body = b"".join(to_json(row, inf_nan_mode="null") + b"\n" for row in rows)
    elif KINDS[kind] == NPY:
        body = arrays.packed(answer.predictions, settings().max_body_bytes)
    else:
        body = _csv(answer)
    return Response(body, headers={"content-type": kind})


def _line(number: int, line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError as error:
        raise Invalid.at(number, msg=f"line {number} is not JSON: {error}", type="json_invalid") from None


def _csv(answer: Answer) -> bytes:
    out = io.StringIO(newline="")
    shares: list[list[float]] = answer.probabilities or [[]] * len(answer.predictions)
    rows = ([_cell(label), *share] for label, share in zip(answer.predictions, shares, strict=True))
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "replace")


def _cell(label: Any) -> Any:
    """Return a CSV cell: `true` or `false` for a flag, empty for None and NaN."""
    if isinstance(label, bool):
        return str(label).lower()
    return "" if label is None or label != label else label
