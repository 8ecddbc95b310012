"""The results: results.json, and what is made of it: results.md and results.svg."""

import json
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

from testing.benchmark import compiling, environments
from testing.benchmark.summary import Ratio, Rows, Spread, pick, ratios, spread
from testing.benchmark.systems import ALL

TITLES = {
    ("svc", "row"): "One JSON row, SVC",
    ("logistic", "row"): "One JSON row, scaled logistic regression",
    ("forest", "row"): "One JSON row, forest of 100",
    ("mixed", "row"): "One JSON row of numbers and text, pipeline of 8 columns",
    ("boosting", "row"): "One JSON row of numbers and text, the default classifier",
    ("svc", "csv"): "CSV upload of 45 rows with accuracy in the answer, SVC",
}


class Results:
    """What was measured, kept in a file: each kind of measurement replaces only its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "results.json"
        self.found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}

    def update(self, **found: Any) -> None:
        """Takes it in and saves it, so that a run that is broken off has shown something."""
        self.found |= found
        (self.folder / "results.json").write_text(json.dumps(self.found, indent=1) + "\n")

    def publish(self) -> None:
        """Writes the tables and the plot; prints the ratios."""
        (self.folder / "results.md").write_text(markdown(self.found))
        print("\n" + "\n".join(_ratio_table(ratios(self.found))))
        self.plot()

    def plot(self) -> None:
        """Throughput and p99 at 32 connections. No plot where matplotlib can't be had."""
        rows = pick(self.found.get("measured", []), connections=32)
        panels = {title: _bars(pick(rows, model=model, shape=shape)) for (model, shape), title in TITLES.items()}
        try:
            python = environments.python("plot", ["matplotlib"])
        except environments.Unavailable as error:
            print(f"no plot: {error}")
            return
        command = [python, Path(__file__).parent / "plot.py", self.folder / "results.svg"]
        subprocess.run(command, input=json.dumps({k: v for k, v in panels.items() if v}), text=True, check=True)


def line(row: dict[str, Any]) -> str:
    """A measurement, while it runs."""
    form = (
        "{round}  {system:<16}{model:<9} {shape}  {connections:>4} connections{rate:>10,.0f}/s"
        "   p50 {p50:>8.2f} ms   p99 {p99:>8.2f} ms  {memory:>6.0f} MB"
    )
    return (form + "  {refused} refused, {lost} lost" * bool(row["refused"] or row["lost"])).format(**row)


def markdown(found: dict[str, Any]) -> str:
    """All of it as a page."""
    lines = ["# Benchmark", "", *_setting(found), "", *_ratio_table(ratios(found)), ""]
    for (model, shape), title in TITLES.items():
        if rows := pick(found.get("measured", []), model=model, shape=shape):
            lines += [f"## {title}", "", *_table(rows), ""]
    if logs := found.get("logs"):
        rates = f"{logs['on']:,.0f} requests a second with, {logs['off']:,.0f} without"
        lines += [f"A log line for each request: {rates}; it costs {logs['cost']:.1%}.", ""]
    if compiled := found.get("compiled"):
        lines += ["## Compiled models", "", *compiling.table(compiled), ""]
    if freeze := found.get("freeze"):
        lines += ["p99 at 32 connections, the heap {}: {:.1f} ms; {}: {:.1f} ms.".format(*chain(*freeze.items())), ""]
    lines += [f"- {name} was left out: {reason}" for name, reason in found.get("unavailable", {}).items()]
    lines += ["", "Versions: " + "; ".join(_versions(*each) for each in found.get("versions", {}).items())]
    return "\n".join(lines) + "\n"


def _setting(found: dict[str, Any]) -> list[str]:
    machine, asked = found.get("machine", {}), found.get("asked", {})
    if not machine:
        return []
    about = ", ".join(
        [*(machine[name] for name in ("date", "processor", "memory", "system")), f"Python {machine['python']}"]
    )
    rounds = f"median of {asked['rounds']} interleaved rounds of {asked['seconds']:g} s (least - most)"
    return [
        f"{about}. One worker on one of {machine['cores']} cores, wrk on another; {rounds}. "
        "Every system's answers were compared with scikit-learn's own."
    ]


def _ratio_table(found: list[Ratio]) -> list[str]:
    """Promised and measured."""
    lines = ["| fast-ml compared | wanted | measured | reached |", "|---|---|---|---|"]
    for each in found:
        wanted = f"{'at least' if each.at_least else 'at most'} {each.wanted:.3g}"
        lines.append(f"| {each.measure} | {wanted} | {_shown(each.found, '.3g')} | {_reached(each)} |")
    return lines


def _reached(ratio: Ratio) -> str:
    return "" if ratio.found is None else "yes" if ratio.reached else "no"


def _table(rows: Rows) -> list[str]:
    connections = sorted({row["connections"] for row in rows})
    head = "".join(f" {n} conn.: req/s | p50 ms | p99 ms |" for n in connections)
    lines = [f"| system |{head} MB |", "|---|" + "---|" * (3 * len(connections) + 1)]
    for system in (each.name for each in ALL if pick(rows, system=each.name)):
        cells = [_cells(pick(rows, system=system, connections=n)) for n in connections]
        memory = spread(rows, "memory", system=system)
        lines.append(f"| {system} | {' | '.join(cells)} | {memory.most if memory else 0:.0f} |")
    return lines


def _cells(rows: Rows) -> str:
    bad = sum(row["refused"] + row["lost"] for row in rows)
    formats = (("rate", ",.0f"), ("p50", ".2f"), ("p99", ".1f"))
    shown = [_shown(spread(rows, field), form, field == "rate") for field, form in formats]
    return " | ".join(shown) + (f" ({bad} failed)" if bad else "")


def _shown(found: Spread | None, form: str, spreads: bool = True) -> str:
    if found is None:
        return "not measured"
    return f"{found.median:{form}}" + (f" ({found.least:{form}} - {found.most:{form}})" if spreads else "")


def _versions(system: str, found: dict[str, str]) -> str:
    return f"{system}: {', '.join(f'{name} {version}' for name, version in found.items())}"


def _bars(rows: Rows) -> dict[str, Any]:
    systems = [each.name for each in ALL if pick(rows, system=each.name)]
    return {name: {f: spread(rows, f, system=name) for f in ("rate", "p99")} for name in systems}
