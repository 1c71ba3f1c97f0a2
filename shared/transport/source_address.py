"""Where a call comes from: the other end of its socket, or what a proxy of ours says of that."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from shared.ip_addresses import Network, lies_in, read_address


def source_address(peer: str, headers: Iterable[tuple[bytes, bytes]], proxies: Sequence[Network]) -> str:
    """Return the address of the caller, given that of the other end of the socket.

    X-Forwarded-For is read only where that other end is one of our `proxies`, and from its end: each proxy adds whom it
    was called by, so the last entry that is no proxy is the caller. What stands before it, and Forwarded (RFC 7239),
    anybody may have written. An entry that is no address leaves the proxy itself as the caller, who is on no list.
    """
    if not proxies or not lies_in(peer, proxies):
        return peer
    lines = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    caller = peer
    for entry in reversed(",".join(lines).split(",")):
        try:
            caller = str(ip_address(entry.strip()))
        except ValueError:
            break
        if not lies_in(caller, proxies):
            break
    return caller


def source_network(address: str) -> bytes:
    """What all connections of one source have in common: the IPv4 address, or the /64 network of an IPv6 address.

    Whoever has an IPv6 address commonly has all of its /64 network (RFC 6177 s2).
    """
    return read_address(address).packed[:8]
