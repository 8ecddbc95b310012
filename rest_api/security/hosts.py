"""Which host names this server answers to.

Without this check, a web page could reach the server by a name of its own that resolves to it (DNS rebinding).
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from ML.config.config import Settings

MAX_VERDICTS = 256
"""Host headers whose verdict a worker keeps."""

MAX_BYTES = 270
"""Longest Host header that is accepted, in bytes. A name has at most 255."""

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::\d{0,5})?")
REMEDY = "This server does not answer to the host {}. If it should, add the name to ALLOWED_HOSTS."


class Hosts:
    """Those in ALLOWED_HOSTS and of the loopback. Without ALLOWED_HOSTS, only a server on the loopback checks."""

    def __init__(self, settings: Settings) -> None:
        names = settings.allowed_hosts or (() if _is_loopback(settings.host) else ("*",))
        self._any = "*" in names
        bare_names = {name: name.lower().lstrip("*").strip(".") for name in names if name != "*"}
        self._names = {_canonical(bare_name) for name, bare_name in bare_names.items() if name[0] != "*"}
        self._endings = tuple(f".{bare_name}" for name, bare_name in bare_names.items() if name[0] in "*.")
        self.verdicts: dict[bytes, bool] = {}

    def __contains__(self, header: bytes) -> bool:
        """Return whether the server answers requests with this Host header."""
        verdict = self.verdicts.get(header)
        if verdict is None:
            if len(header) > MAX_BYTES:
                return False
            if len(self.verdicts) == MAX_VERDICTS:
                self.verdicts.clear()
            verdict = self.verdicts[header] = self._allows(header.decode("latin-1").lower())
        return verdict

    def _allows(self, header: str) -> bool:
        match = _AUTHORITY.fullmatch(header)
        name = _canonical(match[1]) if match else "["
        if name[0] == "[":  # no IPv6 address between the brackets
            return False
        return self._any or _is_loopback(name) or name in self._names or name.endswith(self._endings)


def refusal(header: bytes) -> str:
    """Return the message for a request with this Host header."""
    return REMEDY.format(repr(header[:MAX_BYTES].decode("latin-1")))


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return bool(address and (mapped or address).is_loopback)


def _canonical(name: str) -> str:
    """Return the canonical form of an IPv6 address, without brackets. Other names stay as they are."""
    return str(_address(name) or name)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return IPv6Address(name[1:-1]) if name[0] == "[" else ip_address(name)
    except ValueError:
        return None
