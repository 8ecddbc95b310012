"""How much memory is left. When it runs out, the kernel stalls every process while it tries to reclaim some."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

RESERVED_BYTES, RESERVED_SHARE = 64 * 2**20, 0.05
"""Memory that serving needs, the larger of the two: with less, the kernel reads code from the disk again and again."""

CGROUPS = Path("/sys/fs/cgroup")


class Group(NamedTuple):
    """A control group, version 1 or 2."""

    folder: Path
    limit: str
    """The file with the limit in bytes."""
    unreclaimable: tuple[str, str]
    """The entries of memory.stat that count memory which the kernel can't reclaim."""


def bytes_left() -> float:
    """Return how many bytes are left beyond what serving needs, in this container or on this machine, without swap.

    Infinite if the system reports nothing.
    Sources: proc_meminfo(5); cgroup-v2.rst and cgroup-v1/memory.rst of the kernel's documentation.
    """
    return min(_beyond_reserve(_machine), _beyond_reserve(_container))


def _beyond_reserve(measure: Callable[[], tuple[int, int]]) -> float:
    with suppress(OSError, KeyError, ValueError, StopIteration):  # the file does not exist, or the limit is `max`
        total, left = measure()
        return left - max(RESERVED_BYTES, total * RESERVED_SHARE)
    return float("inf")


def _machine() -> tuple[int, int]:
    """Return the machine's memory, and what is left of it, in bytes."""
    entries = _entries(Path("/proc/meminfo"))
    return int(entries["MemTotal:"]) * 1024, int(entries["MemAvailable:"]) * 1024


def _container() -> tuple[int, int]:
    """Return the limit of this process's control group, and what is left of it, in bytes."""
    group = _group()
    limit, used = int((group.folder / group.limit).read_text()), _entries(group.folder / "memory.stat")
    return limit, limit - sum(int(used[name]) for name in group.unreclaimable)


def _entries(file: Path) -> dict[str, str]:
    return dict(line.split()[:2] for line in file.read_text().splitlines())


@cache
def _group() -> Group:
    """Return the control group of this process. Inside a container it may be mounted without its path."""
    lines = (line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    folders = [CGROUPS / kind / path for kind, name in lines if kind in ("memory", "") for path in (name[1:], "")]
    kinds = [("memory.limit_in_bytes", ("total_rss", "total_shmem")), ("memory.max", ("anon", "shmem"))]
    return next(Group(at, *kind) for at in folders for kind in kinds if (at / kind[0]).is_file())
