"""How much memory is left, as control groups tell it; the limit of a real container is in test_faults_memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ML.training import memory


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of this process's group."""
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    memory._group.cache_clear()
    yield tmp_path
    memory._group.cache_clear()


def test_where_nobody_tells_there_is_enough(group: Path) -> None:
    assert memory.bytes_left() > 0


@pytest.mark.parametrize(
    ("limit", "anon", "shmem", "short"),
    [
        ("536870912", 400 * 2**20, 0, False),
        ("536870912", 450 * 2**20, 0, True),
        ("536870912", 400 * 2**20, 50 * 2**20, True),
        ("4294967296", 3850 * 2**20, 0, False),
        ("4294967296", 3950 * 2**20, 0, True),
        ("max", 450 * 2**20, 0, False),
    ],
)
def test_version_2(group: Path, limit: str, anon: int, shmem: int, short: bool) -> None:
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.stat").write_text(f"anon {anon}\nfile 900000000\nkernel 1\nshmem {shmem}\n")
    assert (memory.bytes_left() < 0) is short


def test_version_1(group: Path) -> None:
    (group / "memory").mkdir()
    (group / "memory" / "memory.limit_in_bytes").write_text("536870912\n")
    (group / "memory" / "memory.stat").write_text("cache 0\nrss 0\ntotal_rss 480000000\ntotal_shmem 0\n")
    assert (memory.bytes_left() < 0) is ("memory" in Path("/proc/self/cgroup").read_text())
