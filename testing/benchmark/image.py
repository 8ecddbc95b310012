"""Size and start time of the container image, with the packages that compile models and without them."""

import http.client
import re
import shutil
import subprocess
import time
from contextlib import suppress
from statistics import median

from testing.benchmark import server
from testing.benchmark.prepare import WORK
from testing.benchmark.tables import ROOT

NAME = "fast-api-ml-bench"
PARTS = ("rest_api", "gunicorn", "ML", "wsgi.py", "requirements.txt", "constraints.txt", "Dockerfile", ".dockerignore")
PATIENCE = 120


def measure(starts: int) -> dict[str, dict[str, float]]:
    """Return size in MB and median start time in seconds of both images. Starts are interleaved."""
    tags = {name: _built(name) for name in ("with", "without")}
    seconds: dict[str, list[float]] = {name: [] for name in tags}
    for _ in range(starts):
        for name, tag in tags.items():
            seconds[name].append(_start(tag))
    found = {name: {"mb": _size(tag), "seconds": median(seconds[name])} for name, tag in tags.items()}
    print(f"image: {found}", flush=True)
    return found


def _built(name: str) -> str:
    """Build an image of this project, `without` from requirements that lack the ONNX packages. Return its tag."""
    folder, tag = WORK / "image" / name, f"{NAME}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("saved_models", "__pycache__")
    for part in PARTS:
        path = ROOT / part
        shutil.copytree(path, folder / part, ignore=ignored) if path.is_dir() else shutil.copy(path, folder / part)
    if name == "without":
        requirements = folder / "requirements.txt"
        requirements.write_text(re.sub(r"(?m)^onnx.*\n", "", requirements.read_text()))
    _docker("build", "--quiet", "--tag", tag, str(folder))
    return tag


def _start(tag: str) -> float:
    port = server.free_port()
    started = time.perf_counter()
    container = _docker("run", "--detach", "--rm", "--publish", f"127.0.0.1:{port}:8000", tag)
    try:
        while not _ready(port):
            if time.perf_counter() - started > PATIENCE:
                raise SystemExit(f"{tag} is not ready after {PATIENCE} s")
            time.sleep(0.05)
        return time.perf_counter() - started
    finally:
        _docker("kill", container)


def _ready(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    return False


def _size(tag: str) -> float:
    return int(_docker("image", "inspect", "--format", "{{.Size}}", tag)) / 1e6


def _docker(*command: str) -> str:
    done = subprocess.run(["docker", *command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"docker {command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout.strip()
