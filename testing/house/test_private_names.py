"""No module uses another module's or a library's private names, and none changes another module's state."""

import subprocess
from pathlib import Path

import pytest
from private_names import Use, find
from server import ROOT

INTERNALS = "scikit-learn has no public equivalent; ml/compiler/test_internals.py fails when an upgrade changes it"

EXCEPTIONS = {
    ("ML/compiler/converters/internals.py", "_gamma"): INTERNALS,
    ("ML/compiler/converters/internals.py", "_baseline_prediction"): INTERNALS,
    ("ML/compiler/converters/internals.py", "_predictors"): INTERNALS,
    ("ML/compiler/converters/internals.py", "_raw_predict_init"): INTERNALS,
    ("gunicorn/", "_exit"): "os._exit is documented, and the only call that ends a process without waiting for threads",
    ("ML/training/fork_server.py", "_exit"): "the same: a fork must not go on where its parent was",
}
"""Where a private name may stay: the start of the path, the name, and the reason."""


@pytest.fixture(scope="module")
def uses() -> list[Use]:
    """Return every use in the project."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    files = [ROOT / name for name in sorted(set(listed))]
    return [use for file in files if file.is_file() for use in find(file, ROOT)]


def test_nothing_private_is_used_outside_its_class_or_module(uses: list[Use]) -> None:
    found = [str(use) for use in uses if not any(covers(exception, use) for exception in EXCEPTIONS)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=" ".join)
def test_every_exception_is_still_needed(uses: list[Use], exception: tuple[str, str]) -> None:
    assert any(covers(exception, use) for use in uses), "remove it from the list"


def covers(exception: tuple[str, str], use: Use) -> bool:
    """Return whether an exception is about this use."""
    path, name = exception
    return use.path.startswith(path) and use.name == name


VIOLATIONS = """
import os
from os import _exit
from package._inner import thing
import package._inner
os._exit(1)
os.environ = {}
os.environ.data = {}
del os.environ
thing._x
thing._x = 1
thing.__class__ = dict
getattr(thing, "_x")
monkeypatch.setattr("os._name", 1)
class A:
    def f(self): return self._missing
    def g(self): return super()._inherited()
    def _h(self): pass
A()._h()
"""
EXCEPTIONS_CODE = """
import os
from m import x as _x
_private = 1
_private += 1
environment = os.environ
os.environ["X"] = "1"
thing.__dict__["x"] = 1
thing.x = 1
class A:
    _shared = 1
    __slots__ = ("_slot",)
    def __init__(self): self._x, self.__y = 1, 2
    def __eq__(self, other): return self._x == other._x and self._shared and self._slot and self.__y and self._f()
    def _f(self): return getattr(self, "_x")
class B(A):
    def g(self): return self._x
"""


def lines(folder: Path, code: str) -> list[int]:
    """Return the lines of some code that break the rule."""
    (folder / "code.py").write_text(code)
    return [use.line for use in find(folder / "code.py", folder)]


def test_each_kind_of_use_is_found(tmp_path: Path) -> None:
    expected = [number for number, line in enumerate(VIOLATIONS.splitlines(), 1) if line]
    harmless = {2, 15, 18}
    assert lines(tmp_path, VIOLATIONS) == [number for number in expected if number not in harmless]


def test_own_names_are_allowed(tmp_path: Path) -> None:
    assert lines(tmp_path, EXCEPTIONS_CODE) == []


def test_a_private_module_is_for_the_modules_beside_it(tmp_path: Path) -> None:
    (tmp_path / "_shared.py").touch()
    assert lines(tmp_path, "from package._shared import name") == []
    assert lines(tmp_path, "from package._other import name") == [1]
