"""README and docs/: the commands that they tell a reader to run."""

import re
from pathlib import Path

from server import ROOT

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]

CONTAINER = "testing/whole/test_container.py"
ELSEWHERE = {
    "make run": "testing/whole/test_readme.py",  # in a fresh clone, where CI is set
    "export SERVICE_PASS=choose-one": "testing/support/server.py",
    "docker build -t fast-api-ml .": CONTAINER,
    "docker run -p 8000:8000 fast-api-ml": CONTAINER,
    "docker run -p 8000:8000 -e SERVICE_PASS=choose-one --read-only --cap-drop ALL --tmpfs /tmp fast-api-ml": CONTAINER,
    "docker run -p 8000:8000 -e SERVICE_PASS=choose-one -v fast-ml-models:/app/ML/saved_models fast-api-ml": CONTAINER,
    "docker build -t fast-ml-base -f gunicorn/Dockerfile.fast-ml .": CONTAINER,
    "docker build -t fast-api-ml --build-arg BASE_IMAGE=fast-ml-base .": CONTAINER,
    "docker build -t fast-api-ml-sagemaker --target sagemaker .": "testing/whole/test_platforms.py",
    "openapi-python-client generate --url http://127.0.0.1:8000/openapi.json": "testing/clients/openapi.py",
}
"""Commands that need an environment of their own, and the file that runs them."""


def commands(page: Path) -> list[str]:
    """Return the lines of the shell blocks of a page, in order."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def path_of(page: Path) -> str:
    """Return the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()
