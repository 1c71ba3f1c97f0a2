"""Opening a TCP connection to a host that may have several addresses, of which some may be dead (RFC 8305)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeAlias

from aiohappyeyeballs import start_connection

from shared.daemon_thread import run_in_daemon_thread

NEXT_ADDRESS_SECONDS: Final = 0.25
"""After this time without an answer of one address the next is tried beside it (RFC 8305 s5)."""

_MOST_NAMED: Final = 4

AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]
"""An address as `socket.getaddrinfo` gives it: family, type, protocol, canonical name, address."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[AddressInfo]]]
"""Finds the addresses of a host and port. Raises OSError (there is none) or ValueError (that is no name of a host)."""

_lookups: Final[dict[tuple[str, int], Future[Sequence[AddressInfo]]]] = {}
"""The lookups under way in this process: all who want to know the same share one thread."""


async def resolve(host: str, port: int) -> Sequence[AddressInfo]:
    """Ask the system for the addresses of a host; one that is an address itself is taken as it is."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.wrap_future(_look_up(host, port))


def _look_up(host: str, port: int) -> Future[Sequence[AddressInfo]]:
    """Return the lookup of a name that is under way, or begin one.

    The event loop has few threads for lookups: those of one name that hangs would hold up all others, and the end of
    the process.
    """
    lookup = _lookups.get((host, port))
    if lookup is None:
        call = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        lookup = _lookups[host, port] = run_in_daemon_thread(call, "lookup")
        lookup.add_done_callback(lambda _: _lookups.pop((host, port)))
    return lookup


async def open_socket(host: str, port: int, tried: list[str], resolve: Resolve = resolve) -> socket.socket:
    """Return a socket connected to the address of `host` that answers first, IPv6 and IPv4 in turn (RFC 8305 s4).

    `tried` gets the addresses as they are tried, for whoever has to say what failed. Raises OSError (no address
    answers) and what `resolve` raises. After an error or a cancellation no socket is left open.
    """

    def begin(info: AddressInfo) -> socket.socket:
        tried.append(str(info[4][0]))
        return socket.socket(*info[:3])

    found = await resolve(host, port)
    return await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1, socket_factory=begin)


def names_of(tried: Sequence[str]) -> str:
    """Name the addresses that were tried, the first few of many."""
    more = len(tried) - _MOST_NAMED
    return (", ".join(tried[:_MOST_NAMED]) or "none") + (f" and {more} more" if more > 0 else "")
