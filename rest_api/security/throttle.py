"""Slows down and refuses clients that guess passwords."""

import logging

from starlette.types import Scope

from ML.config.config import Settings
from rest_api.security.addresses import Proxies, network
from rest_api.security.guesses import LIMIT, WINDOW, Guesses
from rest_api.security.origins import Headers
from rest_api.security.refusals import Refusal

SLOWEST = 0.5
"""Longest delay of the answer to a wrong password, in seconds."""

BLOCKED = "Too many wrong passwords came from your address. Try again in {} s."

log = logging.getLogger("fast_ml")


class Throttle:
    """Which addresses may send a password. It must be made before the workers are forked: they count together."""

    def __init__(self, settings: Settings) -> None:
        self._proxies, self.guesses = Proxies(settings.forwarded_allow_ips), Guesses()

    def refuse(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Refuse credentials from an address that is blocked, right ones too: a guess must not learn that it is one."""
        if not self.guesses.any_blocked:
            return None
        seconds = self.guesses.blocked(network(self._client(scope, headers)))
        return _blocked(seconds) if seconds else None

    def wrong(self, scope: Scope, headers: Headers) -> Refusal | float:
        """Count wrong credentials. Return the seconds by which to delay the answer, or another one in its place."""
        client = self._client(scope, headers)
        count = self.guesses.add(network(client))
        if count == LIMIT:
            log.warning("Blocked %a for %d s: it sent %d wrong passwords", client, WINDOW // 1000, LIMIT)
        # More than that only if several came to several workers at the same moment.
        return delay(count) if count <= LIMIT else _blocked(self.guesses.blocked(network(client)) or 1)

    def _client(self, scope: Scope, headers: Headers) -> str:
        peer = scope.get("client") or ("",)  # a Unix socket has no address
        return self._proxies.client(peer[0], headers.get(b"x-forwarded-for", b""))


def delay(count: int) -> float:
    """Return by how many seconds the answer to the next of so many wrong passwords is delayed."""
    return min(SLOWEST, 0.1 + 0.02 * (count - 1))


def _blocked(seconds: int) -> Refusal:
    return Refusal(429, "guesses", BLOCKED.format(seconds), ((b"retry-after", b"%d" % seconds),))
