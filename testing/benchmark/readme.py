"""The parts of README.md and docs/performance.md that are generated from the results."""

import re
from pathlib import Path
from typing import Any

from testing.benchmark import compiling, plan, report
from testing.benchmark.summary import Rows, pick, ratios, spread
from testing.benchmark.systems import ALL, PEERS
from testing.benchmark.tables import ROOT

README = ROOT / "README.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
LIMIT = "raw ASGI"
BEST = "JSON row, SVC, 32 connections: requests/s vs the best peer"


def publish(found: dict[str, Any]) -> None:
    """Write the results into both pages."""
    for file in README, PERFORMANCE:
        file.write_text(renewed(file, found))


def renewed(file: Path, found: dict[str, Any]) -> str:
    """Return the text of a page with these results between its markers."""
    parts = {"speed": speed} if file == README else {"measured": measured, "compiled": compiled}
    text = file.read_text()
    for name, lines in parts.items():
        part = "\n".join(["", "", *lines(found), "", ""])
        text, times = re.subn(f"(?s)(<!-- {name} -->).*(<!-- /{name} -->)", lambda m: m[1] + part + m[2], text)  # noqa: B023
        assert times == 1, f"{file.name} has no markers for {name}"
    return text


def speed(found: dict[str, Any]) -> list[str]:
    """Return the README's sentences on JSON rows to the SVC."""
    rows = pick(found.get("measured", []), system="fast-ml", model="svc", shape="row")
    rate, p50 = _figure(pick(rows, connections=32), "rate", ",.0f"), _figure(pick(rows, connections=1), "p50", ".2f")
    times = next((each.found.median for each in ratios(found) if each.measure == BEST and each.found), 0)
    return [
        f"One worker answers {rate} requests a second, each a row of JSON for a support vector machine: {times:.2g}",
        f"times as many as the best of {len(PEERS)} other model servers. With one caller, an answer takes {p50} ms",
        "(median). Credentials, schema checks and logs are on.",
    ]


def measured(found: dict[str, Any]) -> list[str]:
    """Return the throughput of each system with each model, and the cases where fast-ml is not the first."""
    rows = found.get("measured", [])
    return [*report.setting(found), "", *_table(rows), "", *_missed(found), *lost(rows)]


def compiled(found: dict[str, Any]) -> list[str]:
    """Return the speed of compiled estimators, and the cost of the ONNX packages for the image."""
    return [*compiling.table(found.get("compiled", {})), "", *report.image(found)]


def _table(rows: Rows) -> list[str]:
    """Return a line for each system: requests per second of each part with 32 connections, more for the first part."""
    parts = [part for part in plan.PARTS if pick(rows, model=part.model, shape=part.shape)]
    head = ["system", *(part.short for part in parts), "SVC, 1 conn.: p50 ms", "SVC: p99 ms", "MB"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for system in (each.name for each in ALL if pick(rows, system=each.name)):
        ours = pick(rows, system=system)
        rates = [_figure(pick(ours, model=p.model, shape=p.shape, connections=32), "rate", ",.0f") for p in parts]
        svc = pick(ours, model="svc", shape="row")
        p50, p99 = _figure(pick(svc, connections=1), "p50", ".2f"), _figure(pick(svc, connections=32), "p99", ".1f")
        cells = [system, *rates, p50, p99, f"{max(row['memory'] for row in ours):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _figure(rows: Rows, field: str, form: str) -> str:
    value = spread(rows, field)
    return f"{value.median:{form}}" if value else ""


def _missed(found: dict[str, Any]) -> list[str]:
    """Return the goals that are not reached."""
    known = [ratio for ratio in ratios(found) if ratio.found]
    missed = [ratio for ratio in known if not ratio.reached]
    lines = [f"Of {len(known)} figures that were set as a goal, {len(known) - len(missed)} are reached. Missed:"]
    for ratio in missed:
        goal = f"{'at least' if ratio.at_least else 'at most'} {ratio.wanted:.3g}"
        lines.append(f"- {ratio.measure}: {ratio.found.median if ratio.found else 0:.3g}, wanted {goal}")
    return lines if missed else [lines[0].removesuffix(" Missed:")]


def lost(rows: Rows) -> list[str]:
    """Return the cases in which another system is better. The raw ASGI function always is, as it does nothing."""
    lines = []
    for part in plan.PARTS:
        for connections in part.connections:
            same = pick(rows, model=part.model, shape=part.shape, connections=connections)
            for field, better in (("rate", max), ("p50", min), ("p99", min)):
                figures = {row["system"]: spread(same, field, system=row["system"]) for row in same}
                medians = {name: value.median for name, value in figures.items() if value and name != LIMIT}
                best = better(medians, key=lambda name: medians[name]) if medians else "fast-ml"
                if best != "fast-ml" and "fast-ml" in medians:
                    shown = f"{medians[best]:,.4g} against {medians['fast-ml']:,.4g}"
                    lines.append(f"- {part.title}, {connections} connections: {field} of {best}, {shown}")
    return ["", "fast-ml is not the first here:", *lines] if lines else []
