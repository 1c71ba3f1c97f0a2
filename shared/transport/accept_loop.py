"""The TLS accept loop of a server: bounds how many connections are in their TLS handshake at a time.

Anybody who reaches the port may open connections and send nothing. The event loops wait a minute for each handshake,
for as many as there are descriptors, so that none is left for the database and our own calls. Here both are bounded,
for each source and in all: of what a source opens beyond its bound some wait their turn, and the rest is closed at
once, so that no other source waits behind it in the kernel's backlog.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from shared.ip_addresses import Network, lies_in
from shared.once_a_minute import OnceAMinute
from shared.transport.source_address import source_network

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""After a connection could not be taken, mostly for want of descriptors: some may be free again by then."""

CONNECTIONS_PER_TURN = 32
"""Taken one after another before the event loop does anything else: the backlog is emptied soon, but what is being
answered goes on while somebody floods the port."""


class AcceptLoop:
    """Takes connections from a listening socket, from `open` to `close`.

    A connection is unfinished until its first byte is here and, with TLS, its handshake is done.
    """

    first_byte_seconds = 2.0
    """What a peer gets to send its first byte, which a client sends as soon as it is connected; and to wait for its
    turn, where its source has many unfinished connections."""

    handshake_seconds = 10.0
    """What a peer gets for the TLS handshake, which takes some milliseconds and a few times the way between us."""

    max_handshakes = 512
    """Handshakes at a time: about half of the descriptors that a process commonly has."""

    max_unfinished_of_source = 64
    """Unfinished connections of one source at a time; a client of ours opens as many to one host at most."""

    max_waiting = 192
    """Further connections that wait until another of their source is finished, of all sources together: a client that
    opens 100 or 200 at once is served, and does not take what is left for others."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        unlimited_sources: Sequence[Network] = (),
    ) -> None:
        """Accept on `listener`, which it will close; without `tls` the connections are plain.

        `unlimited_sources` may have more unfinished connections than `max_unfinished_of_source`, and for the first byte
        as much time as for the handshake: behind a load balancer all clients come from one address.
        """
        listener.setblocking(False)
        self._listener = listener
        self._make_protocol = make_protocol
        self._tls = tls
        self._unlimited_sources = unlimited_sources
        self._room = asyncio.Semaphore(self.max_handshakes + self.max_waiting)
        self._handshakes: set[asyncio.Task[None]] = set()
        self._unfinished: dict[bytes, dict[asyncio.Task[None], None]] = {}
        self._turns: dict[bytes, asyncio.Semaphore] = {}
        self._waiting = 0
        self._taking: asyncio.Task[None] | None = None
        self._dropped: OnceAMinute[str] = OnceAMinute()

    @property
    def handshakes(self) -> int:
        """How many are under way, or wait for their turn."""
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
                await self._make_room()
                await self._room.acquire()
                await self._take_one()
            await asyncio.sleep(0)  # to accept what is in the backlog already does not give way to anything

    async def _take_one(self) -> None:
        try:
            connection, (address, *_) = await asyncio.get_running_loop().sock_accept(self._listener)
        except OSError as error:
            self._room.release()
            logger.warning("no connection can be taken: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)
            return
        if lies_in(address, self._unlimited_sources):
            self._begin(self._shake_hands(connection, address, self.handshake_seconds))
            return
        source = source_network(address)
        unfinished = self._unfinished.setdefault(source, {})
        has_to_wait = len(unfinished) >= self.max_unfinished_of_source
        if has_to_wait and self._waiting >= self.max_waiting:
            self._room.release()
            self._drop(connection, address, "its source has too many unfinished handshakes; see OCEN_UNLIMITED_SOURCES")
            return
        self._waiting += has_to_wait
        handshake = self._begin(self._shake_hands_in_turn(connection, address, source))
        unfinished[handshake] = None
        handshake.add_done_callback(partial(self._forget, source))

    async def _make_room(self) -> None:
        """At the limit, break off the oldest handshake of the source that has the most, so that others are taken."""
        if self._room.locked():
            await asyncio.sleep(0)  # each handshake has begun then, and closes its socket when it is broken off
            most: Sequence[asyncio.Task[None]] = max(map(tuple, self._unfinished.values()), key=len, default=())
            for oldest in most[:1]:
                oldest.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        handshake = asyncio.create_task(work)
        self._handshakes.add(handshake)
        handshake.add_done_callback(self._end)
        return handshake

    def _end(self, handshake: asyncio.Task[None]) -> None:
        self._handshakes.discard(handshake)
        self._room.release()

    def _forget(self, source: bytes, handshake: asyncio.Task[None]) -> None:
        unfinished = self._unfinished[source]
        self._waiting -= len(unfinished) > self.max_unfinished_of_source
        del unfinished[handshake]
        if not unfinished:
            del self._unfinished[source]
            self._turns.pop(source, None)

    def _drop(self, connection: socket.socket, address: str, why: str) -> None:
        connection.close()
        if (left_out := self._dropped.due(why)) is not None:
            logger.warning("connection of %s closed: %s; %d more such since the last line", address, why, left_out)

    async def _shake_hands_in_turn(self, connection: socket.socket, address: str, source: bytes) -> None:
        turns = self._turns.setdefault(source, asyncio.Semaphore(self.max_unfinished_of_source))
        try:
            async with asyncio.timeout(self.first_byte_seconds):
                await turns.acquire()
        except TimeoutError:
            self._drop(connection, address, "handshakes of its source before it were not finished in time")
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        try:
            await self._shake_hands(connection, address, self.first_byte_seconds)
        finally:
            turns.release()

    async def _shake_hands(self, connection: socket.socket, address: str, first_byte_seconds: float) -> None:
        try:
            is_silent = not await self._has_first_byte(connection, first_byte_seconds)
        except asyncio.CancelledError:
            connection.close()
            raise
        if is_silent:
            self._drop(connection, address, f"nothing came over it in {first_byte_seconds:g} s")
            return
        with suppress(OSError):  # it did not come about; where we refused, `CheckedConnection` has said why
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self.handshake_seconds if self._tls else None,
            )

    async def _has_first_byte(self, connection: socket.socket, seconds: float) -> bool:
        """Wait for the first byte, before anything is made for the connection."""
        loop, is_here = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(connection, is_here.set)
        try:
            async with asyncio.timeout(seconds):
                return await is_here.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(connection)
