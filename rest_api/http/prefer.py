"""The Prefer header, RFC 7240: whether a caller waits for an answer, and how long."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_SECONDS = re.compile(r"\d{1,6}", re.ASCII)


class Preference(NamedTuple):
    """What a caller prefers, and `applied`, what to say of it in Preference-Applied."""

    seconds: float | None = None
    """How long to wait for the outcome; None for as long as it takes."""
    respond_async: bool = False
    waits: bool = False

    def applied(self, early: bool) -> dict[str, str]:
        """The header of the answer, `early` where it came before the outcome."""
        names = ["respond-async"] if early and self.respond_async else []
        names += [f"wait={self.seconds:.0f}"] if self.waits else []
        return {"Preference-Applied": ", ".join(names)} if names else {}


def read(headers: Sequence[str]) -> Preference:
    """The preferences for an answer in time. What is not understood is ignored, and of two the first counts."""
    found: dict[str, str] = {}
    for part in ",".join(headers).split(","):
        name, _, value = part.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    waits = bool(_SECONDS.fullmatch(found.get("wait", "")))
    respond_async = "respond-async" in found
    return Preference(float(found["wait"]) if waits else 0.0 if respond_async else None, respond_async, waits)
