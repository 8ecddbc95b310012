"""How much memory is left. A kernel that has none stalls every process for as long as it looks for some."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

KEPT = 64 * 2**20
"""Bytes that serving needs: with less, a server's own code is read from the disk again and again."""

CGROUPS = Path("/sys/fs/cgroup")


class Group(NamedTuple):
    """A control group: its folder, the file of its limit, and what its memory.stat calls memory that it can't drop."""

    folder: Path
    limit: str
    held: tuple[str, str]


def spare() -> float:
    """Bytes that are left beyond what serving needs, in this container or on this machine; swap does not count.

    Infinite where the system tells nothing.
    Sources: proc_meminfo(5); cgroup-v2.rst and cgroup-v1/memory.rst of the kernel's documentation.
    """
    return min(_machine(), _container()) - KEPT


def _machine() -> float:
    with suppress(OSError, KeyError):
        return int(_table(Path("/proc/meminfo"))["MemAvailable:"]) * 1024
    return float("inf")


def _container() -> float:
    with suppress(OSError, KeyError, ValueError, StopIteration):  # there is no group, or its limit is `max`
        group = _group()
        used = _table(group.folder / "memory.stat")
        return int((group.folder / group.limit).read_text()) - sum(int(used[name]) for name in group.held)
    return float("inf")


def _table(file: Path) -> dict[str, str]:
    return dict(line.split()[:2] for line in file.read_text().splitlines())


@cache
def _group() -> Group:
    """The group of this process, version 1 or 2. Inside a container it may be mounted without its path."""
    lines = (line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    folders = [CGROUPS / kind / path for kind, name in lines if kind in ("memory", "") for path in (name[1:], "")]
    kinds = [("memory.limit_in_bytes", ("total_rss", "total_shmem")), ("memory.max", ("anon", "shmem"))]
    return next(Group(at, *kind) for at in folders for kind in kinds if (at / kind[0]).is_file())
