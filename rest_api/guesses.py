"""Counts wrong passwords by client address, for all workers together, in memory of a fixed size."""

import secrets
import time
from collections.abc import Callable
from hashlib import blake2b
from mmap import mmap

LIMIT = 20
"""Wrong passwords within WINDOW after which an address is blocked for as long."""

WINDOW = 60_000
"""Milliseconds."""

WAYS = 4
"""Addresses that have their place in one bucket."""

SLOWEST = 0.5
"""Longest delay of the answer to a wrong password, in seconds."""

_COUNT = 0xFFFF


class Guesses:
    """A hash table in shared memory, made before the workers are forked.

    A slot holds two words: the time and number of failures, and the address's hash XOR that. Where two workers write
    one slot at the same moment the words no longer match, and a count is lost; it never passes to another address.
    """

    def __init__(self, buckets: int = 4096, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets, self._clock = buckets, clock
        # Nobody can compute which addresses share a bucket.
        self._secret = secrets.token_bytes(16)
        # The first word says until when some address is blocked.
        self._words = memoryview(mmap(-1, 8 + 16 * WAYS * buckets)).cast("Q")

    @property
    def size(self) -> int:
        """Bytes."""
        return self._words.nbytes

    def add(self, address: bytes) -> float:
        """Count a wrong password. Return the seconds by which the answer should be delayed."""
        now, key = self._now(), self._key(address)
        slot = self._find(key)
        if slot is None:
            slot = min(self._slots(key), key=lambda each: self._worth(self._words[each], now))
            begun, count = now, 1
        else:
            begun, count = self._read(slot)
            begun, count = (begun, count + 1) if now < begun + WINDOW else (now, 1)
        if count == LIMIT:
            begun = now
            self._words[0] = max(self._words[0], now + WINDOW)
        value = begun << 16 | min(count, _COUNT)
        self._words[slot], self._words[slot + 1] = value, key ^ value
        return min(SLOWEST, 0.1 + 0.02 * (count - 1))

    def blocked(self, address: bytes) -> int:
        """Return for how many more seconds the address is blocked."""
        slot = self._find(self._key(address))
        begun, count = self._read(slot) if slot is not None else (0, 0)
        return max(0, -((self._now() - begun - WINDOW) // 1000)) if count >= LIMIT else 0

    @property
    def any_blocked(self) -> bool:
        """Whether some address is blocked. This costs less than to ask for one."""
        return self._words[0] > self._now()

    def _find(self, key: int) -> int | None:
        words = self._words
        return next((slot for slot in self._slots(key) if words[slot] and words[slot] ^ words[slot + 1] == key), None)

    def _slots(self, key: int) -> range:
        first = 1 + 2 * WAYS * (key % self._buckets)
        return range(first, first + 2 * WAYS, 2)

    def _read(self, slot: int) -> tuple[int, int]:
        value = self._words[slot]
        return value >> 16, value & _COUNT

    @staticmethod
    def _worth(value: int, now: int) -> tuple[bool, int, int]:
        """What is replaced first: an old count, then the lowest, so that many addresses don't unblock each other."""
        begun, count = value >> 16, value & _COUNT
        return now < begun + WINDOW, count, begun

    def _key(self, address: bytes) -> int:
        return int.from_bytes(blake2b(address, digest_size=8, key=self._secret).digest())

    def _now(self) -> int:
        return int(1000 * self._clock())
