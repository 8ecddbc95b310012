"""How gunicorn runs the app. GUNICORN_CMD_ARGS in the environment overrides any of these settings.

gunicorn takes every global that has the name of one of its settings, so nothing else may have such a name.
"""

import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

# Process 1 of a container ignores SIGTERM by default. This handler ends it until gunicorn has loaded the app and set
# its own.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

from ML.config.config import settings  # noqa: E402
from rest_api.telemetry import shared_counts  # noqa: E402

_set = settings()
_host = f"[{_set.host.strip('[]')}]" if ":" in _set.host else _set.host

bind = f"{_host}:{_set.port}"
workers = _set.workers
worker_class = "rest_api.server.worker.Worker"

# The proxies whose X-Forwarded-For uvicorn trusts, the same as in rest_api/security/addresses.py.
forwarded_allow_ips = ",".join(_set.forwarded_allow_ips)

# The workers share the libraries' memory. Each worker loads the models itself.
preload_app = True

# gunicorn replaces a worker that has not started, or whose event loop has been blocked, for this many seconds.
timeout = 20
graceful_timeout = _set.graceful_timeout + _set.shutdown_delay

# In seconds. Longer than the 60 s of common load balancers, which answer 502 if we close a connection that they reuse.
keepalive = 75

# Heartbeats are file writes. In memory, a slow or read-only disk can't stop them.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The folder in which the workers count for /metrics.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(
        prefix=f"fast-ml-metrics-{os.getpid()}-", dir=worker_tmp_dir
    )

# Each connection is an open file. Many shells allow only 1024.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_files = _set.max_connections + 200
if _soft < _files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (_files if _hard == -1 else min(_files, _hard), _hard))

# gunicorn would create its control socket below $HOME, which a container may not have.
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Check that the addresses are free. Reset the metrics, also in a folder that PROMETHEUS_MULTIPROC_DIR names.

    Start the fork server while there are no sockets that it would inherit.
    """
    from ML.training import fork_server, run
    from rest_api.startup import addresses

    # A server that replaces another by SIGUSR2, or that systemd starts, inherits its sockets.
    inherited = {"GUNICORN_FD", "LISTEN_FDS"}.intersection(os.environ)
    if not inherited and not server.cfg.reuse_port and (problem := addresses.problem(server.cfg.address)):
        _remove_metrics()
        sys.exit(problem)
    shared_counts.clear(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    if _set.training and not inherited:
        _freeze()
        fork_server.launch(run.run_claimed)


def _freeze() -> None:
    """Freeze all objects, so that the forks' garbage collectors skip what was loaded before.

    A pass over it takes a third of the time in which a worker is replaced, and copies the shared memory.
    """
    gc.collect()
    gc.freeze()


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the lowest free place; its counters continue where the last worker in that place ended."""
    _freeze()
    worker.take_place(server.WORKERS.values())


def child_exit(_server: object, worker: Any) -> None:
    """Remove the state of the queue of a worker that has ended; its counts stay."""
    shared_counts.forget_queue(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]), worker.place)


def post_worker_init(_worker: object) -> None:
    """Let a worker that has finished its requests exit at once with code 0.

    After shutdown, uvicorn raises the signal again that stopped it. By default that signal kills the worker, which
    hides it from coverage. A normal exit takes half a second and waits for any thread that still runs.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: os._exit(0))


def on_exit(_server: object) -> None:
    """Skip the master's last garbage collection, which takes half a second, and remove the metrics' files."""
    gc.freeze()
    _remove_metrics()


def _remove_metrics() -> None:
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    if folder.name.startswith("fast-ml-metrics-"):
        shutil.rmtree(folder, ignore_errors=True)


def when_ready(server: Any) -> None:
    """Print where the server is, who may use it, and commands to copy."""
    from rest_api.startup.banner import banner

    # With reuse_port, gunicorn leaves binding to the workers.
    listeners = [str(listener) for listener in server.LISTENERS] or [f"http://{_host}:{_set.port}"]
    print(banner(listeners, _set), flush=True)
