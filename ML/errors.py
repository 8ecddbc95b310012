"""Errors that a caller can correct, each with its HTTP status."""

from typing import Any


class Problem(Exception):
    """An error that the caller can correct. The message says what is wrong and what to do."""

    status = 400
    headers: dict[str, str] = {}  # noqa: RUF012
    """Additional headers of the response."""

    @property
    def detail(self) -> Any:
        """Return what the client reads: FastAPI's `detail`."""
        return str(self)


class NotFound(Problem):
    """The model or version does not exist."""

    status = 404


class Conflict(Problem):
    """The state of the store does not allow the operation."""

    status = 409


class TooLarge(Problem):
    """The input has more bytes or rows than the settings allow."""

    status = 413


class NotReady(Problem):
    """No version of the model can predict yet."""

    status = 503


class Invalid(Problem):
    """Invalid input: a list of errors with `loc`, `msg`, `type` and `input`.

    `loc` is the place in the input: row and column of a table, keys and indexes of JSON. A client gets the first 100
    errors and the count of the others.
    """

    status = 422
    most = 100
    counted = 10_000
    """Checks stop after this number of errors: a million would take seconds and gigabytes."""

    def __init__(self, errors: list[dict[str, Any]], count: int | None = None, whole: bool = True) -> None:
        """Take the errors and, if there are more, their `count`. `whole` is false if the check stopped early."""
        super().__init__("; ".join(str(e["msg"]) for e in errors[:3]))
        self.errors, self.count, self.whole = errors, count or len(errors), whole

    @classmethod
    def at(cls, *loc: str | int, msg: str, type: str = "value_error", input: Any = None) -> "Invalid":
        """Return the exception for one error at one place."""
        return cls([{"loc": list(loc), "msg": msg, "type": type, "input": input}])

    @property
    def detail(self) -> list[dict[str, Any]]:
        """Return the first 100 errors and, if there are more, an entry with the count of the others."""
        more = self.count - self.most
        message = f"and {'' if self.whole else 'at least '}{more} more errors"
        rest: dict[str, Any] = {"loc": [], "msg": message, "type": "too_many_errors", "input": None}
        return self.errors[: self.most] + ([rest] if more > 0 else [])
