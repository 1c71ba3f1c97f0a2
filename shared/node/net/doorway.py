"""The door of a server: takes the connections that come, and lets only so many at a time be strangers.

Whoever can reach the port may open connections and say nothing; until the TLS handshake is done, nobody knows who it
is. The event loops wait a minute for each handshake, and for as many as there are descriptors, so that none is left
for the database and for our own calls. Here both are bounded; who finds the door crowded waits in the kernel's backlog.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""After a connection could not be taken, mostly for want of descriptors: some may be free again by then."""


class Doorway:
    """Takes connections from a listening socket, from `open` to `close`."""

    handshake_seconds = 10.0
    """What a peer gets for the TLS handshake, which takes some milliseconds and a few times the way between us."""

    max_handshakes = 512
    """So many are under way at a time: about half of the descriptors that a process commonly has."""

    def __init__(
        self, listener: socket.socket, make_protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
    ) -> None:
        """Make a door to `listener`, which it will close; without `tls` the connections are plain."""
        listener.setblocking(False)
        self._listener = listener
        self._make_protocol = make_protocol
        self._tls = tls
        self._room = asyncio.Semaphore(self.max_handshakes)
        self._handshakes: set[asyncio.Task[None]] = set()
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
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                self._room.release()
                logger.warning("no connection can be taken: %s", error)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            handshake = asyncio.create_task(self._shake_hands(connection))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._end)

    def _end(self, handshake: asyncio.Task[None]) -> None:
        self._handshakes.discard(handshake)
        self._room.release()

    async def _shake_hands(self, connection: socket.socket) -> None:
        with suppress(OSError):  # it did not come about; where we refused, `CheckedConnection` has said why
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self.handshake_seconds if self._tls else None,
            )
