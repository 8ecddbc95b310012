"""How gunicorn runs the app. GUNICORN_CMD_ARGS in the environment overrides any of it.

Every global here that has the name of a gunicorn setting is one: name nothing else like that.
"""

import gc
import itertools
import os
import resource
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

# Until gunicorn has loaded the app and handles signals itself; process 1 of a container ignores them by default.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

from ML.config.config import settings  # noqa: E402

_set = settings()
_host = f"[{_set.host}]" if ":" in _set.host else _set.host

bind = f"{_host}:{_set.port}"
workers = _set.workers
worker_class = "rest_api.server.worker.Worker"

# Whose X-Forwarded-For uvicorn believes: the same as the guard (rest_api/security/addresses.py).
forwarded_allow_ips = ",".join(_set.forwarded_allow_ips)

# The libraries are loaded once and their memory is shared; models are loaded by each worker.
preload_app = True

# A worker that has not come to life, or whose event loop has stood still, for this many seconds is replaced.
timeout = 20
graceful_timeout = _set.graceful_timeout + _set.shutdown_delay

# Longer than the 60 s of common load balancers: one that reuses a connection while we close it answers 502.
keepalive = 75

# Heartbeats are file writes: in memory where possible, so that neither a slow nor a read-only disk stops them.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The files in which the workers count for /metrics. The Prometheus client reads this when it is imported.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="fast-ml-metrics-", dir=worker_tmp_dir)

# Each connection is an open file; common shells allow 1024.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_files = _set.max_connections + 200
if _soft < _files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (_files if _hard == -1 else min(_files, _hard), _hard))

# Its socket would be written below $HOME, which a container may not have.
control_socket_disable = True


def on_starting(_server: object) -> None:
    """Count from zero, in a folder that somebody gave too."""
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("*.db"):
        file.unlink()


def pre_fork(server: Any, worker: Any) -> None:
    """Give a worker the lowest place that is free: it counts on where the last in that place ended.

    What was loaded before the fork is out of the worker's collector's sight: a pass over it takes a third of the time
    in which a worker is replaced, and copies the memory that is shared.
    """
    gc.collect()
    gc.freeze()
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next(place for place in itertools.count() if place not in taken)


def child_exit(_server: object, worker: Any) -> None:
    """Forget the queue of a worker that is gone; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.place)


def post_worker_init(_worker: object) -> None:
    """Let a worker that has finished its requests end well, and at once.

    uvicorn raises the signal that stopped it once more at the end. By default that kills, which coverage can't see;
    a whole exit costs half a second and waits for any thread that was left behind.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: os._exit(0))


def on_exit(_server: object) -> None:
    """Spare the master the last garbage collection, half a second over libraries that go anyway; leave no files."""
    gc.freeze()
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    if folder.name.startswith("fast-ml-metrics-"):
        shutil.rmtree(folder, ignore_errors=True)


def when_ready(_server: object) -> None:
    """Print where the server is, who may use it, and three commands to copy."""
    print(_banner(), flush=True)


def _banner() -> str:
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(_host, _host)
    url = f"http://{host}:{_set.port}"
    user = shlex.quote(_set.service_user)
    if _set.password_generated:  # nobody knows it yet; one that was given is not shown
        password = _set.service_pass.get_secret_value()
        shown = f"{password}  (made up for this run: set SERVICE_PASS to choose one)"
    else:
        password, shown = '"$SERVICE_PASS"', "the one given in SERVICE_PASS"
    row = '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
    return f"""
Serving   {url}
Docs      {url}/docs
User      {_set.service_user}
Password  {shown}

Train, predict a file, predict a row:
curl -u {user}:{password} -F csv_file=@ML/data/train.csv -F target_variable=species {url}/train_model
curl -u {user}:{password} -F csv_file=@ML/data/test.csv -F target_variable=species {url}/get_prediction
curl -u {user}:{password} -H 'Content-Type: application/json' -d '{{"instances": [{row}]}}' {url}/predict
"""
