"""Terminal output: a progress bar during the run, and the figures at the end."""

import sys
import time
from dataclasses import dataclass, field

from testing.load.tally import Tally

BAR = 40


@dataclass
class Bar:
    """A progress bar on stderr, if that is a terminal."""

    tally: Tally
    n: int | None
    duration: float
    started: float = field(default_factory=time.monotonic)

    def show(self) -> None:
        """Redraw it."""
        if not sys.stderr.isatty():
            return
        seconds = time.monotonic() - self.started
        part = self.tally.done / self.n if self.n else min(seconds / self.duration, 1)
        goal = f"of {self.n:,}" if self.n else f"in {seconds:.0f} of {self.duration:g} s"
        rate = f"{self.tally.rate:,.0f} a second" if self.tally.seconds else ""
        line = f"[{'#' * int(BAR * part):<{BAR}}] {self.tally.done:,} {goal}  {rate}"
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """End its line."""
        if sys.stderr.isatty():
            print(file=sys.stderr)


def summary(tally: Tally) -> str:
    """Return throughput, statuses and percentiles."""
    latencies = ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in tally.percentiles().items())
    return (
        f"{tally.done} requests in {tally.seconds:.2f} s, {tally.rate:.0f} a second\n"
        f"rows        {tally.predicted} predicted, {tally.predicted / tally.seconds:.0f} a second\n"
        f"statuses    {statuses(tally)}\n"
        f"latency ms  {latencies}"
    )


def statuses(tally: Tally) -> str:
    """Return how often each outcome occurred, the most frequent first."""
    return ", ".join(f"{outcome}: {count}" for outcome, count in tally.outcomes.most_common())
