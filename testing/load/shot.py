"""A request of the load test, built once and sent many times, and the check of its answers."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

CSV, TARGET = Path(__file__).parents[2] / "ML" / "data" / "test.csv", "species"
REFUSED = "the server refuses this user and password; set SERVICE_USER and SERVICE_PASS to its own"


@dataclass(frozen=True)
class Shot:
    """A prepared request."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    rows: int | None  # that it asks for; None if that can't be told from its body
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
    """Return rows as JSON, copied from the example in the server's OpenAPI document. It fits the live model."""
    async with aiohttp.ClientSession(headers=headers) as client, client.get(f"{url}openapi.json") as response:
        answer = await response.read()
    try:
        body = json.loads(answer)["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
        body["instances"] = body["instances"][:1] * rows
    except (ValueError, KeyError, TypeError):
        sys.exit("the server shows no example for /predict; train its default model first")
    what = "1 row as JSON" if rows == 1 else f"{rows:,} rows as JSON"
    return _json(url, headers, json.dumps(body).encode(), rows, what)


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
    return _json(url, headers, body, len(instances) if isinstance(instances, list) else None, path.name)


def _json(url: str, headers: Mapping[str, str], body: bytes, rows: int | None, what: str) -> Shot:
    return Shot(f"{url}predict", {**headers, "Content-Type": "application/json"}, body, rows, what)


async def table(url: str, headers: Mapping[str, str]) -> Shot:
    """Return an upload of the sample's test table with its target."""
    form = aiohttp.FormData({"target_variable": TARGET})
    form.add_field("csv_file", CSV.read_bytes(), filename=CSV.name, content_type="text/csv")
    payload = form()
    rows = len(CSV.read_text().splitlines()) - 1
    headers = {**headers, "Content-Type": payload.headers["Content-Type"]}
    return Shot(f"{url}get_prediction", headers, await payload.as_bytes(), rows, f"{CSV.name}, {rows} rows as CSV")
