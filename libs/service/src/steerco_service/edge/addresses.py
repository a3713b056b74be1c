"""Where a request comes from: the address that counts as one client, and whose word is taken for it."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

ADDRESSES_KEPT = 4096


def client_of(scope: Scope) -> str:
    """The client's address; of IPv6 the network /64, which one client has for itself."""
    client = scope.get("client")
    return _client(client[0]) if client else ""


@lru_cache(ADDRESSES_KEPT)
def _client(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))


def is_few(text: str) -> bool:
    """Whether it is an address or a network, and not that of everybody."""
    try:
        return ip_network(text).prefixlen > 0
    except ValueError:
        return False
