"""Draws the panels that it reads as JSON from stdin. Runs in an environment of its own.

{title: {system: {"rate": [median, least, most], "p99": [...]}}}
"""

import json
import sys

import matplotlib as mpl  # type: ignore[import-not-found]

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "fast-ml", "svg.fonttype": "none", "font.size": 8})

import matplotlib.pyplot as plt  # type: ignore[import-not-found]  # noqa: E402

OURS, LIMIT, OTHERS = "#0a7f5a", "#bbbbbb", "#5b7fb5"
LABELS = {"rate": "requests a second (more is better)", "p99": "p99 in ms (less is better)"}


def main(out: str) -> None:
    """Draw a row of panels for each kind of request: throughput, and latency beside it."""
    panels = json.load(sys.stdin)
    if not panels:
        return
    heights = [len(systems) for systems in panels.values()]
    size = (10, 0.28 * sum(heights) + 0.9 * len(panels))
    figure, axes = plt.subplots(len(panels), 2, figsize=size, height_ratios=heights, squeeze=False)
    for row, (title, systems) in zip(axes, panels.items(), strict=True):
        row[0].set_title(f"{title}, 32 connections", fontsize=9, loc="left")
        for axis, field in zip(row, LABELS, strict=True):
            bars(axis, {name: found[field] for name, found in systems.items()})
            axis.set_xlabel(LABELS[field])
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


def bars(axis, found: dict[str, list[float]]) -> None:
    """Draw the medians, with the spread over the rounds as whiskers."""
    names = list(found)[::-1]
    middle, least, most = zip(*(found[name] for name in names), strict=True)
    below = [value - low for value, low in zip(middle, least, strict=True)]
    above = [high - value for value, high in zip(middle, most, strict=True)]
    colours = [{"fast-ml": OURS, "raw ASGI": LIMIT}.get(name, OTHERS) for name in names]
    axis.barh(names, middle, xerr=[below, above], color=colours, ecolor="#333333", error_kw={"linewidth": 0.8})
    for place, (value, end) in enumerate(zip(middle, most, strict=True)):
        axis.text(end + max(most) * 0.01, place, f"{value:,.0f}" if value >= 100 else f"{value:.3g}", va="center")
    axis.set_xlim(right=max(most) * 1.12)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(sys.argv[1])
