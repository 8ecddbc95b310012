"""How gunicorn runs the app. GUNICORN_CMD_ARGS in the environment overrides any of it.

Every global here that has the name of a gunicorn setting is one: name nothing else like that.
"""

import gc
import os
import shlex
import signal
import sys

# Until gunicorn has loaded the app and handles signals itself; process 1 of a container ignores them by default.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

from ML.config.config import settings  # noqa: E402

_set = settings()
_host = f"[{_set.host}]" if ":" in _set.host else _set.host

bind = f"{_host}:{_set.port}"
workers = _set.workers
worker_class = "rest_api.worker.Worker"

# The libraries are loaded once and their memory is shared; models are loaded by each worker.
preload_app = True

# A worker that has not come to life, or whose event loop has stood still, for this many seconds is replaced.
timeout = 120
graceful_timeout = _set.graceful_timeout

# Longer than the 60 s of common load balancers: one that reuses a connection while we close it answers 502.
keepalive = 75

# Heartbeats are file writes: in memory where possible, so that neither a slow nor a read-only disk stops them.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# Its socket would be written below $HOME, which a container may not have.
control_socket_disable = True


def post_worker_init(_worker: object) -> None:
    """Let a worker that has finished its requests end well, and at once.

    uvicorn raises the signal that stopped it once more at the end. By default that kills, which coverage can't see;
    a whole exit costs half a second and waits for any thread that was left behind.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: os._exit(0))


def on_exit(_server: object) -> None:
    """Spare the master the last garbage collection: half a second, over libraries that go anyway."""
    gc.freeze()


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
