"""How long a call of a model takes, estimated from its previous calls. Admission predicts waiting times with it."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ML.prediction.predictor import Predictor

CALL_TIMES: "WeakKeyDictionary[Predictor, CallTime]" = WeakKeyDictionary()
"""The call time of each predictor in this worker."""

MIN_WEIGHT = 0.1
"""Weight of the newest call, once there are ten: about the last twenty calls matter."""


@dataclass(slots=True)
class CallTime:
    """The duration of a call as a linear function of its rows, fitted by weighted least squares to recent calls.

    A line, because a call with one row says little about a call with a thousand: some models take as long for both.
    """

    calls: int = 0
    """Number of calls so far."""
    rows: float = 0.0
    """Mean number of rows in a call."""
    seconds: float = 0.0
    """Mean duration of a call in seconds."""
    variance: float = 0.0
    """Variance of the rows."""
    covariance: float = 0.0
    """Covariance of rows and seconds."""
    latest: float = 0.0
    """Duration of the latest call in seconds."""

    def learn(self, rows: int, seconds: float) -> None:
        """Add a call to the exponentially weighted means. https://en.wikipedia.org/wiki/Moving_average"""
        self.calls += 1
        self.latest = seconds
        weight = max(MIN_WEIGHT, 1 / self.calls)
        more, longer = rows - self.rows, seconds - self.seconds
        self.rows += weight * more
        self.seconds += weight * longer
        self.variance = (1 - weight) * (self.variance + weight * more * more)
        self.covariance = (1 - weight) * (self.covariance + weight * more * longer)

    def of(self, rows: int) -> float:
        """Return the expected duration of a call with this many rows, in seconds; 0 before the first call."""
        if not rows or not self.calls:
            return 0.0
        row_seconds = max(0.0, self.covariance / self.variance) if self.variance > 1e-9 else 0.0
        return max(0.0, self.seconds + row_seconds * (rows - self.rows))
