"""Load test: fires predictions at a running server and tells how it answered. Exits 1 if any of them failed.

SERVICE_PASS=... python testing/async_predictions.py 1000      # or: make load N=1000
"""

import argparse
import asyncio
import json
import math
import os
import re
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

CSV, TARGET = Path(__file__).parents[1] / "ML" / "data" / "test.csv", "species"
REFUSED = "the server refuses this user and password; set SERVICE_USER and SERVICE_PASS to its own"
GONE = "no server answers there ({}); `make run` starts one, --url names another"
BAR = 40


@dataclass(frozen=True)
class Shot:
    """A request, built once and fired many times."""

    path: str
    body: bytes
    content_type: str


@dataclass
class Tally:
    """What became of the requests, in eight bytes each: there may be millions."""

    outcomes: Counter[str] = field(default_factory=Counter)  # by status or error
    latencies: "array[float]" = field(default_factory=lambda: array("d"))  # seconds
    seconds: float = 0.0
    complaint: str = ""  # what the first failure said
    hopeless: str = ""  # why no further request could succeed

    def turns(self, n: int) -> Iterator[int]:
        """n turns for all workers together; fewer once it is hopeless."""
        for turn in range(n):
            if self.hopeless:
                return
            yield turn

    def add(self, outcome: str, seconds: float, answer: str) -> None:
        """Counts a request that ended."""
        self.outcomes[outcome] += 1
        self.latencies.append(seconds)
        if outcome != "200":
            self.complaint = self.complaint or f"{outcome}: {answer[:500]}"


async def load(options: argparse.Namespace, headers: dict[str, str], tally: Tally) -> None:
    """Fires `options.n` predictions, `options.concurrency` at a time, over connections that are kept."""
    connector = aiohttp.TCPConnector(limit=options.concurrency)
    async with aiohttp.ClientSession(options.url, connector=connector, headers=headers) as client:
        shot = await (csv_shot() if options.csv else json_shot(client))
        turns, started = tally.turns(options.n), time.perf_counter()
        bar = asyncio.create_task(show_progress(tally, options.n))
        try:
            await asyncio.gather(
                *[work(client, shot, turns, tally) for _ in range(min(options.concurrency, options.n))]
            )
        finally:
            tally.seconds = time.perf_counter() - started
            await bar


async def work(client: aiohttp.ClientSession, shot: Shot, turns: Iterator[int], tally: Tally) -> None:
    """One worker: takes a turn, fires and counts, until no turn is left."""
    for _ in turns:
        started = time.perf_counter()
        try:
            async with client.post(shot.path, data=shot.body, headers={"Content-Type": shot.content_type}) as response:
                answer, outcome = await response.text(errors="replace"), str(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            answer, outcome = str(error), type(error).__name__
            if isinstance(error, aiohttp.ClientConnectorError):
                tally.hopeless = GONE.format(error)
        if outcome == "401":
            tally.hopeless = REFUSED
        tally.add(outcome, time.perf_counter() - started, answer)


async def json_shot(client: aiohttp.ClientSession) -> Shot:
    """One row: the made-up example by which the server documents /predict, so it suits whatever model is live."""
    async with client.get("openapi.json") as response:
        if response.status == 401:
            sys.exit(REFUSED)
        answer = await response.read()
    try:
        body = json.loads(answer)["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    except (ValueError, KeyError, TypeError):
        sys.exit("the server shows no example for /predict; train its default model first")
    return Shot("predict", json.dumps(body).encode(), "application/json")


async def csv_shot() -> Shot:
    """The sample's test table as an upload, with its target."""
    form = aiohttp.FormData({"target_variable": TARGET})
    form.add_field("csv_file", CSV.read_bytes(), filename=CSV.name, content_type="text/csv")
    payload = form()
    return Shot("get_prediction", await payload.as_bytes(), payload.headers["Content-Type"])


async def show_progress(tally: Tally, n: int) -> None:
    """Draws a bar on stderr to the end, where somebody looks at it."""
    while sys.stderr.isatty() and not tally.seconds:
        await asyncio.sleep(0.2)
        done = len(tally.latencies)
        print(f"\r[{'#' * (BAR * done // n):<{BAR}}] {done:,} of {n:,} ", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)


def report(tally: Tally) -> str:
    """Throughput, statuses and percentiles by nearest rank, for a person."""
    ordered, done = sorted(tally.latencies), len(tally.latencies)
    shown = [(f"p{p:g}", ordered[math.ceil(done * p / 100) - 1]) for p in (50, 90, 99, 99.9)] + [("max", ordered[-1])]
    return (
        f"{done} requests in {tally.seconds:.2f} s, {done / tally.seconds:.0f} a second\n"
        f"statuses    {', '.join(f'{outcome}: {count}' for outcome, count in tally.outcomes.most_common())}\n"
        f"latency ms  {', '.join(f'{name} {1000 * seconds:.1f}' for name, seconds in shown)}"
    )


def whole(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def address(text: str) -> str:
    """A URL that paths can be put behind."""
    if not re.fullmatch(r"https?://(\[[\da-f:]+\]|[^/:]+)(:\d{1,5})?(/.*)?", text):
        raise argparse.ArgumentTypeError(f"must be like http://127.0.0.1:8000, not {text!r}")
    return text.rstrip("/") + "/"


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="Fires predictions at a running server and tells how it answered.")
    parser.add_argument("n", metavar="N", type=whole, help="how many")
    parser.add_argument("--concurrency", type=whole, default=32, help="how many at a time (%(default)s)")
    parser.add_argument(
        "--url", type=address, default="http://127.0.0.1:8000", help="where the server is (%(default)s)"
    )
    parser.add_argument(
        "--csv",
        action="store_true",
        help="upload the sample's test table to /get_prediction, in place of a row as JSON",
    )
    return parser.parse_args()


def main() -> None:
    """Fires, reports and exits 1 with the reason if anything failed."""
    asked, tally = options(), Tally()
    user, password = os.environ.get("SERVICE_USER") or "admin", os.environ.get("SERVICE_PASS", "")
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password, "utf-8")}
    try:
        asyncio.run(load(asked, headers, tally))
    except (aiohttp.ClientError, TimeoutError) as error:
        sys.exit(GONE.format(error))
    except KeyboardInterrupt:
        tally.hopeless = "interrupted"
    if tally.latencies:
        print(report(tally))
    if failed := tally.hopeless or tally.complaint:
        sys.exit(f"FAILED: {failed}")


if __name__ == "__main__":
    main()
