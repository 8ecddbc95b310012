"""Install the clients' environments ahead of the tests that need them: python -m testing.clients.prepare"""

from pathlib import Path

from testing.benchmark import environments

HERE = Path(__file__).parent


def python(client: str) -> Path:
    """Return the Python of a client's environment, in which `CLIENT.txt` is installed. Raises Unavailable."""
    return environments.python(client, ["-r", str(HERE / f"{client}.txt")], HERE / ".environments")


def main() -> None:
    for requirements in sorted(HERE.glob("*.txt")):
        python(requirements.stem)


if __name__ == "__main__":
    main()
