"""The requests of the load test, built once and sent in turn, and the check of their answers."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

VARIANTS = 64
"""How many different rows are sent in turn: real callers don't repeat one."""
CSV, TARGET = Path(__file__).parents[2] / "ML" / "data" / "test.csv", "species"
REFUSED = "the server refuses this user and password; set SERVICE_USER and SERVICE_PASS to its own"


@dataclass(frozen=True)
class Shot:
    """Prepared requests to one route."""

    url: str
    headers: Mapping[str, str]
    bodies: tuple[bytes, ...]  # sent in turn
    rows: int | None  # that each asks for; None if that can't be told from its body
    what: str  # for people

    def rows_in(self, answer: bytes) -> int:
        """Return the number of rows that an answer predicts. Raises ValueError if it does not answer this request."""
        try:
            count = len(json.loads(answer)["predictions"])
        except (ValueError, KeyError, TypeError):
            raise ValueError("holds no predictions") from None
        if self.rows not in (None, count):
            raise ValueError(f"holds {count} predictions for {self.rows} rows")
        return count


async def check(url: str, headers: Mapping[str, str]) -> None:
    """Exit if the server refuses the password. Thousands of wrong requests would make it block this address."""
    async with aiohttp.ClientSession(headers=headers) as client, client.get(f"{url}models") as response:
        if response.status == 401:
            sys.exit(REFUSED)


async def example(url: str, headers: Mapping[str, str], rows: int) -> Shot:
    """Return rows as JSON, made from the example in the server's OpenAPI document. They fit the live model."""
    async with aiohttp.ClientSession(headers=headers) as client, client.get(f"{url}openapi.json") as response:
        answer = await response.read()
    try:
        body = json.loads(answer)["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
        row = body["instances"][0]
        bodies = [{**body, "instances": [varied(row, k + place) for place in range(rows)]} for k in range(VARIANTS)]
    except (ValueError, LookupError, TypeError):
        sys.exit("the server shows no example for /predict; train its default model first")
    what = "1 row as JSON" if rows == 1 else f"{rows:,} rows as JSON"
    return _json(url, headers, [json.dumps(body).encode() for body in bodies], rows, what)


def varied(row: Mapping[str, Any], k: int) -> dict[str, Any]:
    """Return the row with its fractions moved by k thousandths: whole numbers and words may have a meaning."""
    return {name: value * (1 + k / 1000) if isinstance(value, float) else value for name, value in row.items()}


def from_file(url: str, headers: Mapping[str, str], path: Path) -> Shot:
    """Return a request to /predict with the user's own body."""
    try:
        body = path.read_bytes()
        parsed: Any = json.loads(body)
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{path} is no JSON: {error}")
    instances = parsed.get("instances") if isinstance(parsed, dict) else None
    return _json(url, headers, [body], len(instances) if isinstance(instances, list) else None, path.name)


def _json(url: str, headers: Mapping[str, str], bodies: Sequence[bytes], rows: int | None, what: str) -> Shot:
    return Shot(f"{url}predict", {**headers, "Content-Type": "application/json"}, tuple(bodies), rows, what)


async def table(url: str, headers: Mapping[str, str]) -> Shot:
    """Return an upload of the sample's test table with its target."""
    form = aiohttp.FormData({"target_variable": TARGET})
    form.add_field("csv_file", CSV.read_bytes(), filename=CSV.name, content_type="text/csv")
    payload = form()
    rows = len(CSV.read_text().splitlines()) - 1
    headers = {**headers, "Content-Type": payload.headers["Content-Type"]}
    return Shot(f"{url}get_prediction", headers, (await payload.as_bytes(),), rows, f"{CSV.name}, {rows} rows as CSV")
