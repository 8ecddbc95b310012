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
    """Delays and blocks addresses that send wrong passwords. Create it before the fork: all workers count together."""

    def __init__(self, settings: Settings) -> None:
        self._proxies, self.guesses = Proxies(settings.forwarded_allow_ips), Guesses()

    def refuse(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Refuse all credentials from a blocked address, valid ones too, so that an attacker learns nothing."""
        if not self.guesses.any_blocked:
            return None
        seconds = self.guesses.blocked(network(self._client(scope, headers)))
        return _blocked(seconds) if seconds else None

    def wrong(self, scope: Scope, headers: Headers) -> Refusal | float:
        """Count wrong credentials. Return the seconds by which to delay the answer, or another answer to send."""
        client = self._client(scope, headers)
        count = self.guesses.add(network(client))
        if count == LIMIT:
            log.warning("Blocked %a for %d s: it sent %d wrong passwords", client, WINDOW // 1000, LIMIT)
        # The count is larger only if several workers received wrong passwords at the same moment.
        return delay(count) if count <= LIMIT else _blocked(self.guesses.blocked(network(client)) or 1)

    def _client(self, scope: Scope, headers: Headers) -> str:
        peer = scope.get("client") or ("",)  # a Unix socket has no address
        return self._proxies.client(peer[0], headers.get(b"x-forwarded-for", b""))


def delay(count: int) -> float:
    """Return the delay of the answer to the last of so many wrong passwords, in seconds."""
    return min(SLOWEST, 0.1 + 0.02 * (count - 1))


def _blocked(seconds: int) -> Refusal:
    return Refusal(429, "guesses", BLOCKED.format(seconds), ((b"retry-after", b"%d" % seconds),))
