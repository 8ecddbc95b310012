"""Measure the coverage of a server or a training command that a test starts. Python imports this module at its start.

Coverage starts after the libraries are loaded: tracing them would double the time of the start. The trainings before
and beside the server are not measured.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

TRAINING = ("pandas", "sklearn.ensemble", "skops.io", "onnx")
SERVER = ("pandas", "sklearn.ensemble", "skops.io", "fastapi", "gunicorn.app.wsgiapp", "uvicorn")


def _spare_trainings() -> None:
    """Stop measuring in a fork of the fork server, which has its parent's name until it takes its own."""
    if Path("/proc/self/comm").read_text().strip() == "fork server" and (running := coverage.Coverage.current()):
        running.stop()


config = os.environ.pop("FAST_ML_COVERAGE", None)
serves = "gunicorn" in sys.orig_argv
trains = "ML.training" in sys.orig_argv and "--bootstrap" not in sys.orig_argv
if config and (serves or trains):
    import coverage

    for library in SERVER if serves else TRAINING:
        import_module(library)
    os.environ["COVERAGE_PROCESS_CONFIG"] = config
    coverage.process_startup()
    del os.environ["COVERAGE_PROCESS_CONFIG"]
    os.register_at_fork(after_in_child=_spare_trainings)  # runs after coverage's own
