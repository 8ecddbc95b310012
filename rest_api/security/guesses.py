"""Counts wrong passwords by client address, for all workers together, in a fixed amount of memory."""

import os
import secrets
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from hashlib import blake2b
from mmap import mmap
from pathlib import Path
from tempfile import mkstemp

LIMIT = 20
"""Wrong passwords within WINDOW after which an address is blocked for the same time."""

WINDOW = 60_000
"""In milliseconds."""

WAYS = 4
"""Addresses that one bucket has room for."""

PATIENCE = 20
"""Attempts to get the lock, 0.2 ms apart. A worker that is paused while it holds the lock must not block the others."""

_COUNT = 0xFFFF


class Guesses:
    """A hash table in shared memory, made before the workers are forked.

    A slot has two words: the first holds the start and number of failures, the second the address's hash XOR the
    first. If two workers write a slot at once without the lock, the words don't match. Then a count may be lost, but it
    never moves to another address.
    """

    def __init__(self, buckets: int = 4096, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets, self._clock = buckets, clock
        # Without this secret an attacker could compute which addresses share a bucket.
        self._secret = secrets.token_bytes(16)
        # The first word is the time until which at least one address is blocked.
        self._words = memoryview(mmap(-1, 8 + 16 * WAYS * buckets)).cast("Q")
        # Used only for its lock, which the kernel releases when a worker dies.
        self._file = _unnamed_file()
        weakref.finalize(self, os.close, self._file)

    @property
    def size(self) -> int:
        """In bytes."""
        return self._words.nbytes

    def add(self, address: bytes) -> int:
        """Count a wrong password. Return how many came from this address within WINDOW."""
        key = self._key(address)
        with self._locked():
            return self._count(key, self._now())

    def blocked(self, address: bytes) -> int:
        """Return for how many more seconds the address is blocked; 0 if it is not."""
        slot = self._find(self._key(address))
        begun, count = self._read(slot) if slot is not None else (0, 0)
        return max(0, -((self._now() - begun - WINDOW) // 1000)) if count >= LIMIT else 0

    @property
    def any_blocked(self) -> bool:
        """Whether at least one address is blocked. This is quicker than looking up an address."""
        return self._words[0] > self._now()

    def _count(self, key: int, now: int) -> int:
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
        return count

    @contextmanager
    def _locked(self) -> Iterator[None]:
        for _ in range(PATIENCE):
            with suppress(OSError):
                lockf(self._file, LOCK_EX | LOCK_NB)
                break
            time.sleep(0.0002)
        try:
            yield
        finally:
            lockf(self._file, LOCK_UN)

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
        """Return the order in which slots are reused: expired ones first, then the lowest counts."""
        begun, count = value >> 16, value & _COUNT
        return now < begun + WINDOW, count, begun

    def _key(self, address: bytes) -> int:
        return int.from_bytes(blake2b(address, digest_size=8, key=self._secret).digest())

    def _now(self) -> int:
        return int(1000 * self._clock())


def _unnamed_file() -> int:
    """Return a file descriptor. On Linux it is in memory, because a container may have no writable folder."""
    if sys.platform == "linux":
        return os.memfd_create("guesses")
    descriptor, path = mkstemp()
    Path(path).unlink()
    return descriptor
