"""What Vertex AI's variables mean for the settings."""

import re
from pathlib import Path
from typing import Any


def defaults(given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that follow from Vertex AI's variables. Those that are given win. Raise ValueError."""
    found: dict[str, Any] = {}
    if given.get("aip_http_port"):
        found["port"] = given["aip_http_port"]
    if given.get("aip_storage_uri") and "models_dir" not in given:
        found |= {"models_dir": _mounted(given["aip_storage_uri"]), "training": False}
    return found


def _mounted(uri: str) -> Path:
    """Return the folder of a URI: a path, file:// or gs://, whose buckets are mounted below /gcs. Raise ValueError."""
    folder = Path(re.sub("^gs://", "/gcs/", uri.removeprefix("file://")))
    if folder.is_dir():
        return folder
    remedy = "mount the bucket there" if uri.startswith("gs://") else "name a folder"
    raise ValueError(
        f"AIP_STORAGE_URI is {uri}, but {folder} is not a folder; {remedy}, or set MODELS_DIR, or leave the model's "
        "artifacts out and put its versions into the image"
    )
