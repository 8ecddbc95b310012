"""Fixtures of all tests: the real server in a process of its own, and copies of the project to change."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import coverage
import httpcore2
import pytest
from exclusive import common, locked
from exclusive import pytest_collection_modifyitems as pytest_collection_modifyitems
from exclusive import pytest_configure as pytest_configure
from exclusive import pytest_runtest_protocol as pytest_runtest_protocol
from first_half_second import pytest_runtest_call as pytest_runtest_call
from server import ROOT, Server, servers

# Before anything reads the settings, in this process or in one that a test starts: a developer's .env does not count.
os.environ["PYTHON_DOTENV_DISABLED"] = "true"

# A `make` in a test is not to take the options and variables of the `make test` around it.
for name in [name for name in os.environ if name.startswith("MAKE") or name in {"MFLAGS", "ARGS", "TESTS"}]:
    del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def certificates() -> Iterator[None]:
    """Load the certificates once, not anew for each of a thousand clients in 40 ms of CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", functools.cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture(scope="session")
def sample_store() -> Path:
    """Return a store with the trained sample models. It is made once, because training takes longer than most tests."""
    folder = common()
    store, making = folder / "samples", folder / "bootstrap"
    with locked(folder / "samples.lock"):
        if not store.exists():
            environment = {**os.environ, "MODELS_DIR": str(making), "PYTHONWARNINGS": "error"}
            command = [sys.executable, "-m", "ML.training", "--bootstrap"]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            making.rename(store)
    return store


@pytest.fixture(scope="module")
def serve(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sample_store: Path
) -> Iterator[Callable[..., Server]]:
    """Start a server: `serve()`, `serve(project, SETTING="value")`. All are stopped after the file's last test.

    The sample models are already trained, unless BOOTSTRAP is "false" or MODELS_DIR is given. `coverage=False` starts
    it without coverage: for tests that send a lot of data through code that other tests cover. So do fault tests.
    """
    with servers(tmp_path_factory, sample_store, coverage=not request.node.get_closest_marker("faults")) as start:
        yield start


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, sample_store: Path) -> Iterator[Server]:
    """Start the server behind `server` once, because starting takes longer than most tests."""
    with servers(tmp_path_factory, sample_store) as start:
        yield start(KEEP_VERSIONS="1000")


@pytest.fixture(scope="module")
def server(shared: Server, sample_store: Path) -> Server:
    """Return the server of most tests, with two workers. Each file finds only the sample models, and may train."""
    for model in sorted(folder.name for folder in sample_store.iterdir() if folder.is_dir()):
        (sample,) = (int(folder.name) for folder in (sample_store / model).iterdir() if folder.name.isdigit())
        shared.client.put(f"/models/{model}/current", json={"version": sample}).raise_for_status()
        for card in shared.client.get(f"/models/{model}/versions").json():
            if card["version"] != sample:
                shared.client.delete(f"/models/{model}/versions/{card['version']}").raise_for_status()
    return shared


@pytest.fixture(scope="session")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Copy the project as a user forks it, with more files in ML/src: `fork(name="source")`."""

    def make(**estimators: str) -> Path:
        project = tmp_path_factory.mktemp("fork") / "project"
        ignored = shutil.ignore_patterns("saved_models")
        for folder in ("ML", "rest_api", "gunicorn"):
            shutil.copytree(ROOT / folder, project / folder, ignore=ignored)
        shutil.copy(ROOT / "wsgi.py", project)
        for name, source in estimators.items():
            (project / "ML" / "src" / f"{name}.py").write_text(source)
        return project

    return make


@pytest.fixture
def without_coverage() -> Iterator[None]:
    """Measure no coverage during a test: for many or large cases of code that other tests cover."""
    running = coverage.Coverage.current()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        if running:
            running.stop()
        yield
        if running:
            running.start()


@pytest.fixture(scope="session")
def iris() -> str:
    """Return the sample table."""
    return (ROOT / "ML" / "data" / "train.csv").read_text()
