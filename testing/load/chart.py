"""Charts as inline SVG. Their colours are classes that the page's style defines for light and dark mode."""

import math
from collections.abc import Callable
from html import escape
from itertools import pairwise

from testing.load.tally import BUCKETS, SLICE, Tally, bucket, edge

WIDTH, HEIGHT = 760, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 34  # room around the plot for the axes
BARS = 90  # at most, in a picture
ROW, LABEL = 15, 95  # the height and width of a label


def latencies(tally: Tally) -> str:
    """Draw the distribution of latencies on a logarithmic axis, with the percentiles marked."""
    filled = list(tally.filled())
    wide = max(1, math.ceil((filled[-1] - filled[0] + 1) / BARS))  # buckets in a bar
    first = filled[0] - wide
    counts = [sum(tally.latencies[place : place + wide]) for place in range(first, filled[-1] + wide + 1, wide)]
    last = first + wide * len(counts)
    x, top = _scale(first, last, LEFT, WIDTH - RIGHT), TOP + ROW * len(tally.percentiles())
    y, grid = _heights(max(counts), top)
    bars = [
        _bar(x(first + i * wide), x(first + (i + 1) * wide), y(count), f"{_span(first + i * wide, wide)}: {count:,}")
        for i, count in enumerate(counts)
        if count
    ]
    ticks = [(x(at), label) for at, label in _decades(first, last)]
    marks = [_mark(name, seconds, x, row) for row, (name, seconds) in enumerate(tally.percentiles().items())]
    return _picture("Latency distribution", [*grid, *bars, *marks, *_axis(ticks)])


def throughput(tally: Tally) -> str:
    """Draw requests per second over the time of the run."""
    times, rates = _rates(tally)
    x = _scale(0, times[-1], LEFT, WIDTH - RIGHT)
    y, grid = _heights(max(rates), TOP)
    bars = [
        _bar(x(since), x(to), y(rate), f"{since:.1f} - {to:.1f} s: {rate:,.0f} requests a second")
        for (since, to), rate in zip(pairwise(times), rates, strict=True)
    ]
    ticks = [(x(at), f"{at:g} s") for at in _round_numbers(times[-1], 8) if at <= times[-1]]
    return _picture("Throughput over time", [*grid, *bars, *_axis(ticks)])


def _rates(tally: Tally) -> tuple[list[float], list[float]]:
    """Return the edges of the bars in seconds, and the requests per second of each."""
    slices = tally.seconds / SLICE
    wide = max(1, math.ceil(slices / BARS))  # slices in a bar
    counts = [0] * max(1, round(slices / wide))  # the last bar is half as wide or up to half wider: it ends the run
    for place, count in tally.slices.items():
        counts[min(place // wide, len(counts) - 1)] += count
    times = [i * wide * SLICE for i in range(len(counts))] + [tally.seconds]
    return times, [count / (to - since) for count, (since, to) in zip(counts, pairwise(times), strict=True)]


def _picture(title: str, parts: list[str]) -> str:
    inside = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">\n{inside}\n</svg>'


def _scale(least: float, most: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - least) / (most - least) * (end - start)


def _heights(most: float, top: float) -> tuple[Callable[[float], float], list[str]]:
    """Return the scale from values to heights, and the grid lines with their values."""
    ticks = _round_numbers(most, 4)
    y = _scale(0, ticks[-1], HEIGHT - BOTTOM, top)
    lines = []
    for value in ticks:
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        lines.append(_text(LEFT - 8, y(value) + 4, f"{value:,.4g}" if value < 10 else f"{value:,.0f}", "end"))
    return y, lines


def _axis(ticks: list[tuple[float, str]]) -> list[str]:
    foot = HEIGHT - BOTTOM
    line = f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{foot}" y2="{foot}"/>'
    return [line, *(_text(x, foot + 20, label, "middle") for x, label in ticks)]


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _bar(left: float, right: float, top: float, says: str) -> str:
    """Draw a bar with a hairline to the next one and a tooltip."""
    wide = max(right - left - 1, 0.6)
    high = HEIGHT - BOTTOM - top
    size = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    return f'<rect class="bar" {size}><title>{escape(says)}</title></rect>'


def _mark(name: str, seconds: float, x: Callable[[float], float], row: int) -> str:
    """Draw a percentile as a line, with its label in a row of its own so that labels don't overlap."""
    at, high = x(bucket(seconds) + 0.5), TOP + ROW * row
    line = f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{high}" y2="{HEIGHT - BOTTOM}"/>'
    side, anchor = (5, "start") if at < WIDTH - RIGHT - LABEL else (-5, "end")
    return line + _text(at + side, high + 8, f"{name} {milliseconds(seconds)}", anchor, "label")


def milliseconds(seconds: float) -> str:
    """Return a latency as readable text."""
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{1000 * seconds:,.0f} ms"


def _span(place: int, wide: int) -> str:
    return f"{milliseconds(edge(place))} - {milliseconds(edge(place + wide))}"


def _decades(first: int, last: int) -> list[tuple[int, str]]:
    """Return the axis ticks 1, 2, 5, 10 ... milliseconds as buckets."""
    steps = [digit * 10.0**power for power in range(-6, 5) for digit in (1, 2, 5)]
    places = [(bucket(step), f"{step * 1000:g} ms") for step in steps]
    return [(place, label) for place, label in places if first <= place <= min(last, BUCKETS)]


def _round_numbers(most: float, about: int) -> list[float]:
    """Return some round numbers from 0 to `most` or just above it."""
    power = 10.0 ** math.floor(math.log10(most / about))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit * about >= most)
    return [round(step * i, 9) for i in range(math.ceil(most / step) + 1)]
