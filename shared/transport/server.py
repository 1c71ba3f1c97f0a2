"""The HTTP server of a node: uvicorn's, started and stopped by the node that owns it.

Uvicorn exits the process when a port is taken, and catches the signals that end it; neither is for a node's server to
do. `AcceptLoop` decides about connections, `PeerProtocol` about what is sent over them.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from shared.ip_addresses import Network
from shared.transport.accept_loop import AcceptLoop
from shared.transport.certificate_connections import CONNECTIONS_PER_CERTIFICATE, CertificateConnections
from shared.transport.peer_protocol import PeerProtocol

LAST_WORDS_SECONDS = 1.0
"""When a server stops, for what is still being worked on after the grace period."""

SWEEP_SECONDS = 0.1
"""While a server stops, between two looks for connections that have become idle, or have only just been made."""


class CannotListenError(Exception):
    """The server cannot take its address: the host is not ours, or the port is taken or not for this user."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {reason}")
        self.host = host
        self.port = port


class NodeServer:
    """One listening server, started and stopped by the node that owns it; several may share a process.

    It installs no signal handlers. When `start` returns, it listens, and `port` is the port that it got.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        tls: ssl.SSLContext | None,
        unlimited_sources: Sequence[Network],
        connections_per_certificate: int,
    ) -> None:
        self.host = config.host
        self.port = config.port
        self._config = config
        self._tls = tls
        self.unlimited_sources = unlimited_sources
        self.of_certificates = CertificateConnections(connections_per_certificate, unlimited_sources)
        self._server = uvicorn.Server(config)
        self._server.servers = []  # what listens is the accept loop

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted now."""
        return self._server.started

    async def start(self) -> None:
        """Listen.

        Raises:
            CannotListenError: the address cannot be listened on.
        """
        listener = _bind(self.host, self.port, self._config.backlog)
        self.port = listener.getsockname()[1]
        if not self._config.loaded:
            self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        self._accept_loop = AcceptLoop(listener, self._protocol, self._tls, self.unlimited_sources)
        self._accept_loop.open()
        self._server.started = True

    async def stop(self) -> None:
        """Accept nothing more, let running requests end, then interrupt them and close what is left."""
        if not self._server.started:
            return
        self._server.started = False
        await self._accept_loop.close()
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(self._server.shutdown())
            while not ending.done():
                # Uvicorn does this once, at the beginning; a TLS handshake may be complete only after that.
                for connection in list(self._server.server_state.connections):
                    connection.shutdown()
                await asyncio.wait([ending], timeout=SWEEP_SECONDS)
        if self._server.server_state.tasks:  # cancelled just now: they answer that they were
            await asyncio.wait(self._server.server_state.tasks, timeout=LAST_WORDS_SECONDS)
        await self._accept_loop.clear()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

    def _protocol(self) -> PeerProtocol:
        return PeerProtocol(self._config, self._server.server_state, self.of_certificates)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _bind(host: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        in_use = "the port is in use; stop the program that holds it or choose another port"
        reason = in_use if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise CannotListenError(host, port, reason) from error


def make_server(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    keep_alive: int = 30,
    grace: int = 10,
    backlog: int = 2048,
    unlimited_sources: Sequence[Network] = (),
    connections_per_certificate: int = CONNECTIONS_PER_CERTIFICATE,
) -> NodeServer:
    """A server for `app` on `host` and `port` (0: any free one), with TLS as `tls` says or in plain HTTP.

    `keep_alive` is how many seconds an idle connection stays open, `grace` how many seconds `stop` waits.
    Of `unlimited_sources` tells `AcceptLoop`, of `connections_per_certificate` `CertificateConnections`.
    The application sees the address of the connection itself: X-Forwarded-For is for `source_address` to judge.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ws="none",
        interface="asgi3",
        lifespan="off",
        workers=1,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=backlog,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=grace,
    )
    return NodeServer(config, tls, unlimited_sources, connections_per_certificate)
