"""The door of a server: takes the connections that come, and lets only so many at a time be strangers.

Whoever can reach the port may open connections and say nothing; until the TLS handshake is done, nobody knows who it
is. The event loops wait a minute for each handshake, and for as many as there are descriptors, so that none is left
for the database and for our own calls. Here both are bounded, for each source and for all together: what one source
opens beyond its bound is closed at once, so that no other has to wait behind it in the kernel's backlog.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from shared.node.net.source_address import source_network
from shared.protocol.participants import Network, lies_in

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""After a connection could not be taken, mostly for want of descriptors: some may be free again by then."""

CONNECTIONS_PER_TURN = 32
"""Taken one after another before the event loop does anything else: the backlog is emptied soon, but what is being
answered goes on while somebody floods the port."""


class Doorway:
    """Takes connections from a listening socket, from `open` to `close`.

    A connection is unfinished until its first byte is here and, with TLS, its handshake is done.
    """

    first_byte_seconds = 2.0
    """What a peer gets to send its first byte, which a client sends as soon as it is connected."""

    handshake_seconds = 10.0
    """What a peer gets for the TLS handshake, which takes some milliseconds and a few times the way between us."""

    max_handshakes = 512
    """Unfinished connections at a time: about half of the descriptors that a process commonly has."""

    max_unfinished_of_source = 64
    """Unfinished connections of one source at a time; a client of ours opens as many to one host at most."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        unlimited_sources: Sequence[Network] = (),
    ) -> None:
        """Make a door to `listener`, which it will close; without `tls` the connections are plain.

        `unlimited_sources` may have more unfinished connections than `max_unfinished_of_source`: behind a load balancer
        the connections of all clients come from one address.
        """
        listener.setblocking(False)
        self._listener = listener
        self._make_protocol = make_protocol
        self._tls = tls
        self._unlimited_sources = unlimited_sources
        self._room = asyncio.Semaphore(self.max_handshakes)
        self._handshakes: set[asyncio.Task[None]] = set()
        self._unfinished: Counter[bytes] = Counter()
        self._taking: asyncio.Task[None] | None = None

    @property
    def handshakes(self) -> int:
        """How many are under way."""
        return len(self._handshakes)

    def open(self) -> None:
        """Begin to take connections."""
        self._taking = asyncio.create_task(self._take())

    async def close(self) -> None:
        """Take no more connections; handshakes that have begun go on."""
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.wait([self._taking])
        self._listener.close()

    async def clear(self) -> None:
        """Break off the handshakes that are under way."""
        for handshake in self._handshakes:
            handshake.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    async def _take(self) -> None:
        while True:
            for _ in range(CONNECTIONS_PER_TURN):
                await self._room.acquire()
                await self._take_one()
            await asyncio.sleep(0)  # to accept what is in the backlog already does not give way to anything

    async def _take_one(self) -> None:
        try:
            connection, address = await asyncio.get_running_loop().sock_accept(self._listener)
        except OSError as error:
            self._room.release()
            logger.warning("no connection can be taken: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)
            return
        source = source_network(address[0])
        if self._is_full(source, address[0]):
            self._room.release()
            connection.close()
            return
        self._unfinished[source] += 1
        handshake = asyncio.create_task(self._shake_hands(connection))
        self._handshakes.add(handshake)
        handshake.add_done_callback(partial(self._end, source))

    def _is_full(self, source: bytes, address: str) -> bool:
        full = self._unfinished[source] >= self.max_unfinished_of_source
        return full and not lies_in(address, self._unlimited_sources)

    def _end(self, source: bytes, handshake: asyncio.Task[None]) -> None:
        self._handshakes.discard(handshake)
        self._room.release()
        self._unfinished[source] -= 1
        if not self._unfinished[source]:
            del self._unfinished[source]

    async def _shake_hands(self, connection: socket.socket) -> None:
        with suppress(OSError):  # it did not come about; where we refused, `CheckedConnection` has said why
            await self._first_byte(connection)
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self.handshake_seconds if self._tls else None,
            )

    async def _first_byte(self, connection: socket.socket) -> None:
        """Wait for the first byte, before anything is made for the connection; TimeoutError: none has come."""
        loop, is_here = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(connection, is_here.set)
        try:
            async with asyncio.timeout(self.first_byte_seconds):
                await is_here.wait()
        except (TimeoutError, asyncio.CancelledError):
            loop.remove_reader(connection)
            connection.close()
            raise
        loop.remove_reader(connection)
