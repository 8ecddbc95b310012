"""The results as text: a line for each measurement, Markdown tables, and the bars of the plot."""

from itertools import chain
from typing import Any

from testing.benchmark import compiling, plan
from testing.benchmark.summary import Ratio, Rows, Spread, pick, ratios, spread
from testing.benchmark.systems import ALL

FRESH = "Each request has its own `X-Request-ID` and `traceparent`, and a different row than the one before. "
"""Only for results with `fresh_ids`: older ones were measured with the same headers in each request."""


def line(row: dict[str, Any]) -> str:
    """Return a measurement as one line for the terminal."""
    form = (
        "{round}  {system:<19}{model:<9} {shape}  {connections:>4} connections{rate:>10,.0f}/s"
        "   p50 {p50:>8.2f} ms   p99 {p99:>8.2f} ms  {memory:>6.0f} MB"
    )
    return (form + "  {refused} refused, {lost} lost" * bool(row["refused"] or row["lost"])).format(**row)


def page(found: dict[str, Any]) -> str:
    """Return all results as a Markdown page."""
    lines = ["# Benchmark", "", *setting(found), "", *ratio_table(ratios(found)), ""]
    for part in plan.PARTS:
        if rows := pick(found.get("measured", []), model=part.model, shape=part.shape):
            lines += [f"## {part.title}", "", *_table(rows), ""]
    if logs := found.get("logs"):
        rates = f"{logs['on']:,.0f} requests a second with, {logs['off']:,.0f} without"
        lines += [f"A log line for each request: {rates}; it costs {logs['cost']:.1%}.", ""]
    if compiled := found.get("compiled"):
        lines += ["## Compiled models", "", *compiling.table(compiled), "", *image(found), ""]
    if freeze := found.get("freeze"):
        lines += ["p99 at 32 connections, the heap {}: {:.1f} ms; {}: {:.1f} ms.".format(*chain(*freeze.items())), ""]
    lines += [f"- {name} was left out: {reason}" for name, reason in found.get("unavailable", {}).items()]
    lines += ["", "Versions: " + "; ".join(_versions(*each) for each in found.get("versions", {}).items())]
    return "\n".join(lines) + "\n"


def setting(found: dict[str, Any]) -> list[str]:
    machine, asked = found.get("machine", {}), found.get("asked", {})
    if not machine:
        return []
    about = ", ".join(
        [*(machine[name] for name in ("date", "processor", "memory", "system")), f"Python {machine['python']}"]
    )
    rounds = f"median of {asked['rounds']} interleaved rounds of {asked['seconds']:g} s (least - most)"
    return [
        f"{about}. One worker on one of {machine['cores']} cores, wrk on another; {rounds}. "
        + FRESH * asked.get("fresh_ids", False)
        + "Every system's answers were compared with scikit-learn's own."
    ]


def ratio_table(found: list[Ratio]) -> list[str]:
    """Return the goals and the measured ratios as a table."""
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


def bars(rows: Rows) -> dict[str, Any]:
    systems = [each.name for each in ALL if pick(rows, system=each.name)]
    return {name: {f: spread(rows, f, system=name) for f in ("rate", "p99")} for name in systems}


def image(found: dict[str, Any]) -> list[str]:
    """Return size and start time of the container image, with the ONNX packages and without."""
    if not (sizes := found.get("image")):
        return []
    form = "{mb:,.0f} MB, ready {seconds:.1f} s after `docker run`"
    both = (form.format(**sizes[name]) for name in ("with", "without"))
    return ["The image with onnx and onnxruntime: {}; without them: {}.".format(*both)]
