"""Virtual environments, one for each set of requirements, as the peers' pinned versions conflict."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / ".environments"


class Unavailable(Exception):
    """An environment can't be created here; the message says why."""


def python(name: str, requirements: Sequence[str], where: Path = FOLDER) -> Path:
    """Return the Python of an environment with these requirements. Reuse it in later runs. Raise Unavailable."""
    folder = where / name
    stamp, wanted = folder / "requirements.json", _stamp(folder, requirements)
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"creating the environment of {name} ...", flush=True)
        _call(sys.executable, "-m", "venv", "--clear", str(folder))
        _call(str(folder / "bin" / "python"), *_PIP, "--quiet", "install", *requirements)
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def versions(name: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the installed version of each of these packages."""
    found = json.loads(_call(str(FOLDER / name / "bin" / "python"), *_PIP, "list", "--format", "json"))
    wanted = {package.lower().replace("_", "-") for package in packages}
    return {each["name"]: each["version"] for each in found if each["name"].lower().replace("_", "-") in wanted}


_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


def _stamp(folder: Path, requirements: Sequence[str]) -> str:
    # Its scripts contain the path of their Python, so a folder that was moved needs a new environment.
    said = [Path(each).read_text() if each.startswith("/") else each for each in requirements]
    return json.dumps([sys.version, str(folder), *said])


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command[1:4])} ... failed: {_reason(done.stderr)}")
    return done.stdout


def _reason(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no message")[:300]
