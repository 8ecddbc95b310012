"""How long a call of a model takes, learned from its calls: what a request that comes now would have to wait."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ML.prediction.predictor import Predictor

CALL_TIMES: "WeakKeyDictionary[Predictor, CallTime]" = WeakKeyDictionary()
"""That of each predictor of this worker."""

FORGET = 0.1
"""The weight of the newest call: the last twenty or so count."""


@dataclass(slots=True)
class CallTime:
    """Seconds of a call as a line over its rows, fitted by least squares to the calls, the newer the more.

    A call of one row says little of a call of a thousand: some models take as long for either.
    """

    calls: int = 0
    rows: float = 0.0
    seconds: float = 0.0
    spread: float = 0.0
    slant: float = 0.0
    latest: float = 0.0
    """Seconds of the latest call."""

    def learn(self, rows: int, seconds: float) -> None:
        """Takes a call into account. https://en.wikipedia.org/wiki/Moving_average, the exponentially weighted one."""
        self.calls += 1
        self.latest = seconds
        weight = max(FORGET, 1 / self.calls)
        more, longer = rows - self.rows, seconds - self.seconds
        self.rows += weight * more
        self.seconds += weight * longer
        self.spread = (1 - weight) * (self.spread + weight * more * more)
        self.slant = (1 - weight) * (self.slant + weight * more * longer)

    def of(self, rows: int) -> float:
        """Seconds that a call of so many rows will take; 0 before the first."""
        if not rows or not self.calls:
            return 0.0
        row = max(0.0, self.slant / self.spread) if self.spread > 1e-9 else 0.0
        return max(0.0, self.seconds + row * (rows - self.rows))
