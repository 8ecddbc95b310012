"""MLflow's scoring server: mlflow.org/docs/latest/ml/deployment/deploy-model-locally."""

import os
import pickle
import shutil
import sys
from pathlib import Path

import mlflow.sklearn  # type: ignore[import-not-found]

if __name__ == "__main__":
    folder, port = Path(sys.argv[1]), sys.argv[2]
    shutil.rmtree(folder / "mlflow", ignore_errors=True)
    mlflow.sklearn.save_model(
        pickle.loads((folder / "model.pkl").read_bytes()), folder / "mlflow", serialization_format="cloudpickle"
    )
    command = ["models", "serve", "-m", str(folder / "mlflow"), "--env-manager", "local", "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *command, "--host", "127.0.0.1", "--port", port])
