"""The results on disk: results.json, and what is made of it: results.md, results.svg, parts of two pages."""

import json
import subprocess
from pathlib import Path
from typing import Any

from testing.benchmark import environments, plan, readme, report
from testing.benchmark.summary import pick, ratios

HERE = Path(__file__).parent
FOLDER = HERE / "results"
"""Of the results that are kept, and that the README shows."""


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
        """Writes the tables, the plot and the README's parts; prints the ratios."""
        (self.folder / "results.md").write_text(report.page(self.found))
        print("\n" + "\n".join(report.ratio_table(ratios(self.found))))
        self.plot()
        if self.folder == FOLDER:
            readme.publish(self.found)

    def plot(self) -> None:
        """Throughput and p99 at 32 connections. No plot where matplotlib can't be had."""
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
