"""What can go wrong with what somebody sent, and the HTTP status that tells it."""

from typing import Any


class Problem(Exception):
    """Something that the caller can mend. Its message names the thing and the remedy."""

    status = 400
    headers: dict[str, str] = {}  # noqa: RUF012
    """What the answer's head says too."""

    @property
    def detail(self) -> Any:
        """What a client reads: FastAPI's `detail`."""
        return str(self)


class NotFound(Problem):
    """There is no such model or version."""

    status = 404


class Conflict(Problem):
    """The store is in a state that does not allow this."""

    status = 409


class TooLarge(Problem):
    """More bytes or rows than the settings allow."""

    status = 413


class NotReady(Problem):
    """No version of the model can answer yet."""

    status = 503


class Invalid(Problem):
    """Wrong input, in FastAPI's shape: a place, a message, a type and the input for each thing that is wrong.

    Only the first 100 are kept; the last entry then counts the others.
    """

    status = 422
    most = 100
    counted = 10_000
    """Errors after which nobody looks for more: a million would take seconds, and gigabytes."""

    def __init__(self, errors: list[dict[str, Any]], count: int | None = None, whole: bool = True) -> None:
        """`count` where more are wrong than are listed; not `whole` where the count ended before the input did."""
        super().__init__("; ".join(str(e["msg"]) for e in errors[:3]))
        self.errors, self.count, self.whole = errors, count or len(errors), whole

    @classmethod
    def at(cls, *loc: str | int, msg: str, type: str = "value_error", input: Any = None) -> "Invalid":
        """One thing that is wrong, at one place."""
        return cls([{"loc": list(loc), "msg": msg, "type": type, "input": input}])

    @property
    def detail(self) -> list[dict[str, Any]]:
        """The first 100 errors and, where there are more, an entry with their count."""
        more = self.count - self.most
        said = f"and {'' if self.whole else 'at least '}{more} more errors"
        rest = [{"loc": ["body"], "msg": said, "type": "too_many_errors", "input": None}]
        return self.errors[: self.most] + (rest if more > 0 else [])
