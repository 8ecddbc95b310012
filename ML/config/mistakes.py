"""Wrong settings in one plain line each. No message contains a password."""

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def wrong_values(error: ValidationError) -> str:
    """Return what is wrong with the values, and with which."""
    return "; ".join(map(_plain, error.errors()))


def _plain(error: ErrorDetails) -> str:
    name = f"{str(error['loc'][0]).upper()}: " if error["loc"] else ""
    value = "" if isinstance(error["input"], dict) else f" (it is {str(error['input'])[:80]!r})"
    return f"{name}{error['msg'].removeprefix('Value error, ')}{value}"


def misspelt(names: Iterable[str], settings: Iterable[str]) -> str | None:
    """Return which name resembles a setting without being one, and the setting that was probably meant."""
    settings = list(settings)
    long = [name for name in settings if len(name) > 5]
    for name in set(names).difference(settings):
        if meant := get_close_matches(name, long, 1, cutoff=0.85):
            return f"{name} is not a setting; did you mean {meant[0]}?"
    return None
