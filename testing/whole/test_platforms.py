"""The image as SageMaker and Vertex AI run it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from containers import MODELS, Container, curl, docker, image, run
from server import ROOT

__all__ = ["image", "run"]


def opt_ml(tmp_path: Path) -> Path:
    """Make SageMaker's folders with a table to train from."""
    root = tmp_path / "ml"
    for name in "input/data/training", "input/config", "model", "output":
        (root / name).mkdir(parents=True)
    lines = (ROOT / "ML" / "data" / "train.csv").read_text().split()[1:]
    swapped = [",".join([*line.split(",")[-1:], *line.split(",")[:-1]]) for line in lines]
    (root / "input" / "data" / "training" / "part.csv").write_text("\n".join(swapped))
    (root / "input" / "config" / "hyperparameters.json").write_text('{"target": "species"}')
    return root


def test_sagemaker_trains_and_serves(run: Callable[..., Container], image: str, tmp_path: Path) -> None:
    root = opt_ml(tmp_path)
    docker("build", "-t", f"{image}:sagemaker", "--target", "sagemaker", ".")
    try:
        docker("run", "--rm", "--volume", f"{root}:/opt/ml", f"{image}:sagemaker", "train")
        assert (root / "model" / "classifier" / "current").read_text() == "1\n"
        # As an endpoint has it, read-only; the default image serves it too, which is not root.
        model = ("--volume", f"{root / 'model'}:/opt/ml/model:ro", "--env", "OPEN_PROTOCOLS=sagemaker", "--read-only")
        served = run(*model, "--tmpfs", "/tmp", port=8080, command="serve")
        served.wait_for(
            lambda: curl("--output", os.devnull, "--write-out", "%{http_code}", f"{served.url}/ping") == "200"
        )
        csv = ("--header", "Content-Type: text/csv", "--data", "5.1,3.5,1.4,0.2")
        assert curl(*csv, f"{served.url}/invocations") == "setosa\n"
        assert "x1" in curl(*csv[:2], "--data", "1,2", f"{served.url}/invocations")
        served.wait_for(lambda: served.state("Health.Status") == "healthy")
        (root / "input" / "data" / "training" / "part.csv").write_text("a,1\n")
        docker("run", "--rm", "--volume", f"{root}:/opt/ml", f"{image}:sagemaker", "train", check=False)
        assert "10 or more" in (root / "output" / "failure").read_text()
    finally:
        docker("run", "--rm", "--volume", f"{root}:/opt/ml", "--entrypoint", "rm", f"{image}:sagemaker", "-r", *(
            f"/opt/ml/{name}" for name in ("model/classifier", "output/failure")), check=False)  # fmt: skip
        docker("rmi", f"{image}:sagemaker")


def test_vertex_chooses_port_routes_and_store(run: Callable[..., Container], tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    folder.mkdir()
    copied = run().ready()
    docker("cp", f"{copied.id}:{MODELS}/classifier", str(folder))
    container = run(
        *("--volume", f"{folder}:/gcs/bucket/model:ro", "--env", "AIP_STORAGE_URI=gs://bucket/model"),
        *("--env", "AIP_HTTP_PORT=7080", "--env", "AIP_HEALTH_ROUTE=/alive", "--env", "AIP_PREDICT_ROUTE=/ask:predict"),
        *("--env", "OPEN_PROTOCOLS=vertex"),
        port=7080,
    )
    container.wait_for(
        lambda: curl("--output", os.devnull, "--write-out", "%{http_code}", f"{container.url}/alive") == "200"
    )
    json_body = ("--header", "Content-Type: application/json", "--data", '{"instances": [[5.1, 3.5, 1.4, 0.2]]}')
    assert json.loads(curl(*json_body, f"{container.url}/ask:predict")) == {"predictions": ["setosa"]}
    container.wait_for(lambda: container.state("Health.Status") == "healthy")
