"""The Prefer header (RFC 7240): whether and how long a caller waits for the outcome."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_SECONDS = re.compile(r"\d{1,6}", re.ASCII)


class Preference(NamedTuple):
    """What a caller prefers."""

    seconds: float | None = None
    """How long to wait for the outcome; None to wait until it is there."""
    respond_async: bool = False
    waits: bool = False
    """Whether the caller sent a valid `wait`."""

    def applied(self, early: bool) -> dict[str, str]:
        """Return the Preference-Applied header of an answer. `early` means that it is sent before the outcome."""
        names = ["respond-async"] if early and self.respond_async else []
        names += [f"wait={self.seconds:.0f}"] if self.waits else []
        return {"Preference-Applied": ", ".join(names)} if names else {}


def read(headers: Sequence[str]) -> Preference:
    """Return the preferences. Unknown ones are ignored; if one is repeated, the first wins."""
    preferences: dict[str, str] = {}
    for part in ",".join(headers).split(","):
        name, _, value = part.partition(";")[0].partition("=")
        preferences.setdefault(name.strip().lower(), value.strip().strip('"'))
    waits = bool(_SECONDS.fullmatch(preferences.get("wait", "")))
    respond_async = "respond-async" in preferences
    return Preference(float(preferences["wait"]) if waits else 0.0 if respond_async else None, respond_async, waits)
