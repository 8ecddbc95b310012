"""How much memory is left. A kernel that has none stalls every process for as long as it looks for some."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

KEPT, SHARE = 64 * 2**20, 0.05
"""Bytes that serving needs, and the share of a larger memory: with less, code is read from the disk again and again."""

CGROUPS = Path("/sys/fs/cgroup")


class Group(NamedTuple):
    """A control group: its folder, the file of its limit, and what its memory.stat calls memory that it can't drop."""

    folder: Path
    limit: str
    held: tuple[str, str]


def bytes_left() -> float:
    """Bytes that are left beyond what serving needs, in this container or on this machine; swap does not count.

    Infinite where the system tells nothing.
    Sources: proc_meminfo(5); cgroup-v2.rst and cgroup-v1/memory.rst of the kernel's documentation.
    """
    return min(_beyond(_machine), _beyond(_container))


def _beyond(told: Callable[[], tuple[int, int]]) -> float:
    with suppress(OSError, KeyError, ValueError, StopIteration):  # there is no such file, or the limit is `max`
        whole, left = told()
        return left - max(KEPT, whole * SHARE)
    return float("inf")


def _machine() -> tuple[int, int]:
    found = _table(Path("/proc/meminfo"))
    return int(found["MemTotal:"]) * 1024, int(found["MemAvailable:"]) * 1024


def _container() -> tuple[int, int]:
    group = _group()
    limit, used = int((group.folder / group.limit).read_text()), _table(group.folder / "memory.stat")
    return limit, limit - sum(int(used[name]) for name in group.held)


def _table(file: Path) -> dict[str, str]:
    return dict(line.split()[:2] for line in file.read_text().splitlines())


@cache
def _group() -> Group:
    """The group of this process, version 1 or 2. Inside a container it may be mounted without its path."""
    lines = (line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    folders = [CGROUPS / kind / path for kind, name in lines if kind in ("memory", "") for path in (name[1:], "")]
    kinds = [("memory.limit_in_bytes", ("total_rss", "total_shmem")), ("memory.max", ("anon", "shmem"))]
    return next(Group(at, *kind) for at in folders for kind in kinds if (at / kind[0]).is_file())
