"""The address that a request comes from: that of the connection, or the one that a trusted proxy reports.

uvicorn sets `scope["client"]` in the same way, but hot requests bypass that middleware.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

MAX_HOPS = 16
"""How many addresses of X-Forwarded-For are read, from the end."""


class Proxies:
    """The proxies whose X-Forwarded-For is believed (FORWARDED_ALLOW_IPS)."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._all = "*" in trusted
        self._networks = [ip_network(each) for each in trusted if each != "*"]

    def client(self, peer: str, forwarded: bytes) -> str:
        """Return the last address in the header that is no trusted proxy's. Each proxy appends its client's address."""
        hops = list(filter(None, map(_without_port, forwarded.decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:])))
        if not hops or not self._trusts(peer):
            return peer
        if self._all:
            return hops[-1]  # the client may have made up the ones before
        return next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0])

    def _trusts(self, host: str) -> bool:
        address = _address(host)
        return self._all or any(address in network for network in self._networks if address)


def network(host: str) -> bytes:
    """Return the bytes that identify a client: its IPv4 address, or its /64 network of IPv6."""
    address = _address(host)
    if isinstance(address, IPv6Address):
        return address.packed[:8]
    return address.packed if address else host.encode()


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _without_port(hop: str) -> str:
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
