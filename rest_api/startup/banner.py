"""What a start prints: where the server listens, who may use it, and commands to copy."""

import re
import shlex
from collections.abc import Sequence

from ML.config.config import Settings
from rest_api.startup import examples


def banner(listeners: Sequence[str], settings: Settings) -> str:
    """Return the text for these listeners, each as gunicorn writes it: `http://127.0.0.1:8000`, `unix:/run/ml.sock`."""
    urls = [re.sub(r"//(0\.0\.0\.0|\[::\])", _loopback, listener) for listener in listeners]
    unix = urls[0].startswith("unix:")
    url = "http://localhost" if unix else urls[0]
    socket = f"--unix-socket {shlex.quote(urls[0].removeprefix('unix:'))} " if unix else ""
    password, shown = _password(settings)
    curl = f"curl {socket}-u {shlex.quote(settings.service_user)}:{password}"
    lines = [
        f"Serving   {' '.join(urls)}",
        *([] if unix else [f"Docs      {url}/docs"]),
        f"User      {settings.service_user}",
        f"Password  {shown}",
        "",
        # In quotes where a shell would read the brackets of an IPv6 address as a pattern.
        *examples.of_model(settings.default_model, curl, shlex.quote(url), settings),
    ]
    return "\n" + "\n".join(lines) + "\n"


def _loopback(any_address: re.Match[str]) -> str:
    """Return an address that a client on this machine can use for one that means all interfaces."""
    return "//127.0.0.1" if any_address[1] == "0.0.0.0" else "//[::1]"


def _password(settings: Settings) -> tuple[str, str]:
    """Return the password for a shell command and for the reader. Only a generated one is shown."""
    if not settings.password_generated:
        return '"$SERVICE_PASS"', "the one set in SERVICE_PASS"
    password = settings.service_pass.get_secret_value()
    return password, f"{password}  (generated for this run: set SERVICE_PASS to choose one)"
