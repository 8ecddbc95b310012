"""The report: a self-contained HTML page without scripts, for light and dark mode."""

import time
from html import escape
from pathlib import Path

from testing.load import chart
from testing.load.tally import Tally
from testing.load.words import statuses

STYLE = (Path(__file__).parent / "page.css").read_text()
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>Load test: {rate} requests a second</title>
<style>
{style}</style>
</head>
<body>
<main>
<header><h1>Load test</h1><p>{about}</p></header>
{failed}<section class="tiles">{tiles}</section>
<figure><figcaption>Latency <small>requests by the time until their answer, logarithmic</small></figcaption>
{latencies}
</figure>
<figure><figcaption>Throughput <small>answers a second, over the run</small></figcaption>
{throughput}
</figure>
<table>
{table}
</table>
</main>
</body>
</html>
"""


def page(tally: Tally, sent: dict[str, str], failed: str) -> str:
    """Return the page. `sent` says what was sent, where and how."""
    return PAGE.format(
        rate=f"{tally.rate:,.0f}",
        style=STYLE,
        about=escape(f"{sent['request']} to {sent['url']}, {time.strftime('%Y-%m-%d %H:%M %z')}"),
        failed=f'<p class="failed">FAILED: {escape(failed)}</p>\n' if failed else "",
        tiles="".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in _tiles(tally)),
        latencies=chart.latencies(tally),
        throughput=chart.throughput(tally),
        table="\n".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _figures(tally, sent).items()
        ),
    )


def _tiles(tally: Tally) -> list[tuple[str, str]]:
    """Return the key figures."""
    good = tally.outcomes[200] / tally.done
    return [
        ("requests a second", f"{tally.rate:,.0f}"),
        ("rows a second", f"{tally.predicted / tally.seconds:,.0f}"),
        ("p50", chart.milliseconds(tally.percentile(50))),
        ("p99", chart.milliseconds(tally.percentile(99))),
        ("answered 200", f"{good:.0%}" if good in (0, 1) else f"{min(good, 0.9999):.2%}"),
    ]


def _figures(tally: Tally, sent: dict[str, str]) -> dict[str, str]:
    """Return the table with all figures."""
    return {
        "requests": f"{tally.done:,}",
        "seconds": f"{tally.seconds:.2f}",
        "requests a second": f"{tally.rate:,.0f}",
        "rows predicted": f"{tally.predicted:,}",
        "rows a second": f"{tally.predicted / tally.seconds:,.0f}",
        "statuses": statuses(tally),
        **{name: f"{1000 * seconds:,.2f} ms" for name, seconds in tally.percentiles().items()},
        **sent,
    }
