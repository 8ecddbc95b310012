"""The environment: variables of the process and, for those that are not set, the file `.env` in the project's folder.

`python -m ML.config.environment` prints the values of `.env` as shell commands, for start-server.sh and the Makefile.
"""

import os
import shlex
import sys
from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).parents[2]

DISABLED = "PYTHON_DOTENV_DISABLED"
"""python-dotenv's own switch. The tests set it, so that they don't depend on a developer's file."""


def env_file() -> Path | None:
    """Return the path of `.env`, or None if there is none or PYTHON_DOTENV_DISABLED is true."""
    path = ROOT / ".env"
    disabled = os.environ.get(DISABLED, "").casefold() in {"1", "true", "t", "yes", "y"}
    return path if path.is_file() and not disabled else None


def names() -> set[str]:
    """Return the names of all variables, those in `.env` included."""
    return {*os.environ, *_file_values()}


def handed_on(name: str) -> str | None:
    """Return a variable that is no setting: one that the server sets for its workers."""
    return os.environ.get(name)


def unset_values() -> dict[str, str]:
    """Return the values of `.env` whose variables are not set in the environment, or are empty there."""
    present = {name.upper() for name, value in os.environ.items() if value}
    return {name: value for name, value in _file_values().items() if name.upper() not in present}


def unreadable(error: Exception) -> str:
    """Return the message for a file that can't be read."""
    return f"Can't read {env_file()}: {error}. Make it a readable UTF-8 file, or remove it."


def _file_values() -> dict[str, str]:
    path = env_file()
    return {name: value for name, value in dotenv_values(path).items() if value is not None} if path else {}


def main() -> None:
    """Print `export NAME=value` for each value of `.env` that the environment lacks."""
    try:
        found = unset_values()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(unreadable(error))
    for name, value in found.items():
        if name.isidentifier():
            print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
