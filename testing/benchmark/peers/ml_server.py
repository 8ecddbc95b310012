"""MLServer with adaptive batching: docs.seldon.ai/mlserver/user-guide/adaptive-batching."""

import json
import os
import shutil
import socket
import sys
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    folder = Path(sys.argv[1], "mlserver")
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(sys.argv[1], "model.pkl"), folder / "model.joblib")
    ports = {"http_port": int(sys.argv[2]), "grpc_port": free_port(), "metrics_port": free_port()}
    # No second process for the model: there is one core, and MLServer 1.7.1 can't start one with a current uvloop.
    settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 0, **ports}
    model = {
        "name": "classifier",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "max_batch_size": 64,
        "max_batch_time": 0.001,
        "parameters": {"uri": "./model.joblib"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    command = str(Path(sys.executable).parent / "mlserver")
    os.execv(command, [command, "start", str(folder)])
