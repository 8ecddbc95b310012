"""The results on disk: results.json, and what is generated from it: results.md, results.svg, parts of two pages."""

import json
import subprocess
from pathlib import Path
from typing import Any

from testing.benchmark import environments, plan, readme, report
from testing.benchmark.summary import pick, ratios

HERE = Path(__file__).parent
FOLDER = HERE / "results"
"""Folder of the committed results, which the README shows."""


class Results:
    """The measurements in a file. A new measurement replaces only those of its kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "results.json"
        self.found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}

    def update(self, **found: Any) -> None:
        """Add measurements, and save them at once, so that an interrupted run keeps its results."""
        self.found |= found
        (self.folder / "results.json").write_text(json.dumps(self.found, indent=1) + "\n")

    def publish(self) -> None:
        """Write the tables, the plot and the README's parts, and print the ratios."""
        (self.folder / "results.md").write_text(report.page(self.found))
        print("\n" + "\n".join(report.ratio_table(ratios(self.found))))
        self.plot()
        if self.folder == FOLDER:
            readme.publish(self.found)

    def plot(self) -> None:
        """Plot throughput and p99 at 32 connections. Skip the plot if matplotlib can't be installed."""
        rows = pick(self.found.get("measured", []), connections=32)
        parts = [part for part in plan.PARTS if part.drawn]
        panels = {part.title: report.bars(pick(rows, model=part.model, shape=part.shape)) for part in parts}
        try:
            python = environments.python("plot", ["matplotlib"])
        except environments.Unavailable as error:
            print(f"no plot: {error}")
            return
        command = [python, HERE / "plot.py", self.folder / "results.svg"]
        subprocess.run(command, input=json.dumps({k: v for k, v in panels.items() if v}), text=True, check=True)
