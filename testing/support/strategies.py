"""Hypothesis strategies for tables with all kinds of columns, missing values, unusual names and unusual text."""

import os

from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis import strategies as st

CI = bool(os.environ.get("CI"))
ODD = ['a "b"', "a,b", "a;b", "a\tb", "a\nb", "a\r\nb", "NA", "null", "-", "00501", "é", "🙂", "'", " x ",
       "1_0", "\u0661", "\\", "nan", "\u2028", "\u00a01", "inf", "=1+1", "0x1", "true", "x" * 300]  # fmt: skip
NAMES = ["a", "two words", "_x", 'a "b"', "a.b", "🙂", "a,b", "a;b", "a\nb", "class", "0", "__init__", "items",
         "A", "é", "predictions", "\\"]  # fmt: skip


def examples(count, here):
    """Run `count` examples in CI, always the same ones and without shrinking, or `here` random ones elsewhere."""
    phases = [Phase.generate] if CI else [Phase.generate, Phase.shrink]
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return profile(max_examples=count if CI else here, deadline=None, database=None, derandomize=CI, phases=phases,
                   print_blob=True, suppress_health_check=checks)  # fmt: skip


texts = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
numbers = st.integers(-(10**6), 10**6).map(str) | st.floats(-1e300, 1e300).map(repr)
dates = (
    st.dates().map(str)
    | st.datetimes().map(lambda d: d.isoformat(" "))
    | st.datetimes().map(lambda d: d.isoformat() + "+02:00")
)
KINDS = [
    numbers,
    st.integers(0, 3).map(str),
    st.floats(-10, 10).map(lambda x: f"{x:.2f}"),
    numbers | st.sampled_from(["NA", "nan", "-", "None"]),
    st.sampled_from(["yes", "no"]),
    st.sampled_from(["true", "False"]),
    st.sampled_from(["0", "1"]),
    dates,
    texts,
    st.sampled_from(["red", "green", "NA"]),
    st.sampled_from(["00501", "90210"]),
    texts | numbers | dates,
    st.just(""),
]
LABELS = [
    ["a", "b"],
    ["1", "2", "3"],
    ["0", "1"],
    ["true", "false"],
    ["yes", "no"],
    ["0.5", "1.5"],
    ["NA", "🙂", 'a "b", c'],
    ["-1", "1"],
]


@st.composite
def columns(draw, rows):
    """Generate one column: complete, constant or with missing values."""
    kind = draw(st.sampled_from(KINDS))
    how = draw(st.sampled_from(["as it is", "gaps", "constant"]))
    if how == "constant":
        return [draw(kind)] * rows
    cell = kind if how == "as it is" else kind | st.just("")
    return draw(st.lists(cell, min_size=rows, max_size=rows))


TARGETS = {
    "classifier": st.sampled_from(LABELS).flatmap(
        lambda labels: st.tuples(st.just(labels), st.just(st.sampled_from(labels)))
    ),
    "regressor": st.just(([], st.floats(-1e6, 1e6).map(repr) | st.integers(-99, 99).map(str))),
}


@st.composite
def tables(draw, model):
    """Generate a table as a dict of columns in any order. `y` is the target, `n` a number to learn from."""
    rows = draw(st.integers(10, 40))
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)
    names = dict.fromkeys(name.strip() for name in draw(st.lists(st.sampled_from(NAMES) | text, max_size=6)))
    found = {name: draw(columns(rows)) for name in names if name not in ("", "y", "n")}
    found["n"] = [str(i) for i in range(rows)]
    every, cell = draw(TARGETS[model])
    found["y"] = [*every, *draw(st.lists(cell, min_size=rows - len(every), max_size=rows - len(every)))]
    return {name: found[name] for name in draw(st.permutations(list(found)))}
