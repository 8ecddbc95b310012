"""Whether the server can listen on its addresses; if not, one line says what to do."""

import errno
import os
import socket
import time
from collections.abc import Sequence

Address = tuple[str, int] | str | int
"""As gunicorn has them: host and port, a path of a Unix socket, or an open file descriptor."""

PATIENCE = 4.0
"""Seconds to wait for a port that is in use: the workers of a server that was killed hold it for a moment."""


def problem(addresses: Sequence[Address], patience: float = PATIENCE) -> str | None:
    """Return why the server can't listen on one of the addresses and what to do, or None if it can."""
    deadline = time.monotonic() + patience
    for address in addresses:
        if isinstance(address, tuple):
            while error := _bind_error(*address[:2]):
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    return _remedy(*address[:2], error)
                time.sleep(0.2)
    return None


def _bind_error(host: str, port: int) -> OSError | None:
    """Bind as gunicorn will, and release the address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def _remedy(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use. Stop the program that uses it, or set PORT to a free port."
    if error.errno == errno.EACCES:
        return f"User {os.getuid()} may not listen on port {port}. Set PORT to a number above 1023."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"This machine has no address {host}. Set HOST to one that it has, such as 127.0.0.1 or 0.0.0.0."
    return f"The server can't listen on port {port} of {host}: {error.strerror or error}. Set HOST and PORT."
