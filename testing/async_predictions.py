"""Load test: send predictions to a running server and report how it answered. Exits with 1 if any request failed.

SERVICE_PASS=... python testing/async_predictions.py 1000      # or: make load N=1000
"""

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

from testing.load import crew, shot
from testing.load.firing import GONE
from testing.load.page import page
from testing.load.tally import Tally
from testing.load.words import Bar, summary

MADE_UP = Path()  # stands for no file: a made-up row


def main() -> None:
    """Run the load test, print the report, and exit with 1 and the reason if anything failed."""
    asked, tally = options(), Tally()
    try:
        what = asyncio.run(request(asked))
        fire(asked, what, tally)
    except (aiohttp.ClientError, TimeoutError) as error:
        sys.exit(GONE.format(error))
    except KeyboardInterrupt:  # before the first request, or for the second time
        tally.hopeless = "interrupted"
    failed = tally.hopeless or tally.complaint
    if tally.done:
        print(summary(tally))
        write(asked, what, tally, failed)
    if failed:
        sys.exit(f"FAILED: {failed}")


def fire(asked: argparse.Namespace, what: shot.Shot, tally: Tally) -> None:
    """Send the requests for the given time or number, with a progress bar."""
    bar = Bar(tally, asked.n, asked.duration)
    duration = asked.duration or float("inf")
    try:
        crew.fire(crew.orders(what, asked.processes, asked.concurrency, asked.n, duration), tally, bar.show)
    finally:
        bar.end()


async def request(asked: argparse.Namespace) -> shot.Shot:
    """Return the request to send."""
    user, password = os.environ.get("SERVICE_USER") or "admin", os.environ.get("SERVICE_PASS", "")
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password, "utf-8")}
    await shot.check(asked.url, headers)
    if asked.csv:
        return await shot.table(asked.url, headers)
    if asked.json != MADE_UP:
        return shot.from_file(asked.url, headers, asked.json)
    return await shot.example(asked.url, headers, asked.rows or 1)


def write(asked: argparse.Namespace, what: shot.Shot, tally: Tally, failed: str) -> None:
    """Write the HTML report, if requested."""
    if not asked.report:
        return
    sent = {"request": what.what, "url": what.url}
    sent |= {"concurrency": f"{asked.concurrency}", "processes": f"{asked.processes}"}
    try:
        asked.report.write_text(page(tally, sent, failed), encoding="utf-8")
    except OSError as error:
        sys.exit(f"{asked.report}: {error.strerror}")


def whole(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Return a number above 0."""
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not float(text):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return float(text)


def address(text: str) -> str:
    """Return a URL to which paths can be appended."""
    if not re.fullmatch(r"https?://(\[[\da-f:]+\]|[^/:]+)(:\d{1,5})?(/.*)?", text):
        raise argparse.ArgumentTypeError(f"must be like http://127.0.0.1:8000, not {text!r}")
    return text.rstrip("/") + "/"


def page_path(text: str) -> Path:
    """Return a path that can be written. Checked before the requests rather than after them."""
    if not Path(text).parent.is_dir() or Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"must be a file in a folder that exists, not {text!r}")
    return Path(text)


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Fires predictions at a running server and tells how it answered.")
    add = parser.add_argument
    add("n", metavar="N", nargs="?", type=whole, help="how many requests")
    add("--duration", metavar="SECONDS", type=seconds, help="for so long, in place of N")
    add("--concurrency", type=whole, default=32, help="how many at a time (%(default)s)")
    add("--processes", type=whole, default=max(crew.cores() - 1, 1), help="that fire (%(default)s: all cores but one)")
    add(
        "--url",
        type=address,
        default=f"http://127.0.0.1:{os.environ.get('PORT', 8000)}",
        help="where the server is (%(default)s)",
    )
    body = parser.add_mutually_exclusive_group()
    a_row = "rows as JSON to /predict, made up to suit the live model (the default), or the body in FILE"
    body.add_argument("--json", metavar="FILE", nargs="?", type=Path, const=MADE_UP, default=MADE_UP, help=a_row)
    body.add_argument("--csv", action="store_true", help="the sample's test table to /get_prediction, in its place")
    add("--rows", type=whole, help="of a request as JSON (1)")
    add("--report", metavar="FILE", type=page_path, help="writes a page with pictures there")
    asked = parser.parse_args()
    if (asked.n is None) == (asked.duration is None):
        parser.error("give N, the number of requests, or --duration, but not both")
    if asked.rows and (asked.csv or asked.json != MADE_UP):
        parser.error("--rows is for made-up rows, not for --csv or a file")
    return asked


if __name__ == "__main__":
    main()
