"""How much memory the control groups leave. The limit of a real container is tested in faults/test_memory.py."""

from importlib import util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a new copy of the module, which has not looked for its group yet. The groups are in `tmp_path`."""
    spec = util.find_spec("ML.training.memory")
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CGROUPS", tmp_path)
    return module


def test_memory_is_unlimited_if_the_system_reports_nothing(memory: ModuleType) -> None:
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
def test_a_limit_of_control_groups_version_2(
    memory: ModuleType, tmp_path: Path, limit: str, anon: int, shmem: int, short: bool
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.stat").write_text(f"anon {anon}\nfile 900000000\nkernel 1\nshmem {shmem}\n")
    assert (memory.bytes_left() < 0) is short


def test_a_limit_of_control_groups_version_1(memory: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("536870912\n")
    (tmp_path / "memory" / "memory.stat").write_text("cache 0\nrss 0\ntotal_rss 480000000\ntotal_shmem 0\n")
    assert (memory.bytes_left() < 0) is ("memory" in Path("/proc/self/cgroup").read_text())
