"""IP addresses and the networks that they lie in."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def read_address(address: str) -> IPv4Address | IPv6Address:
    """Read an address; IPv4 that is written inside IPv6 (RFC 4291 s2.5.5.2) is IPv4.

    Raises:
        ValueError: it is no address.
    """
    parsed = ip_address(address)
    return getattr(parsed, "ipv4_mapped", None) or parsed


def lies_in(address: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of the networks.

    Raises:
        ValueError: it is no address.
    """
    parsed = read_address(address)
    return any(parsed in network for network in networks)
