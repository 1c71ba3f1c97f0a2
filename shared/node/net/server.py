"""The HTTP server of a node: uvicorn, told who its peer is, and silent about everything unsigned.

Uvicorn does not show an application the client's certificate (the ASGI TLS extension), answers bytes that are no
HTTP with a text of its own, waits for ever for the rest of a request, and exits the process when a port is taken.
Here these four are mended; everything else is uvicorn's.
"""

import asyncio
import errno
import socket
import ssl
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.node.net.tls import PeerCertificate

PEER_EXTENSION = "ocen.peer"
"""Key of the `PeerCertificate` in an ASGI scope's `extensions`."""

SWEEP_SECONDS = 0.1
"""While a server stops, between two looks for connections that have become idle, or have only just been made."""

TLS_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class CannotListenError(Exception):
    """The server cannot take its address: the host is not ours, or the port is not for this user."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {reason}")
        self.host = host
        self.port = port


class PortInUseError(CannotListenError):
    """Another program, or another node, listens there already."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port, "the port is in use; stop the program that holds it or choose another port")


class PeerProtocol(HttpToolsProtocol):
    """HTTP/1.1 on one connection, with the peer's certificate in the scope of each of its requests.

    The certificate is read once per connection. A request that came in whole costs nothing more than an
    assignment; only one that came in pieces is given a deadline.
    """

    read_timeout = 10.0
    """Seconds that a request may take from its first bytes to its last; the connection is dropped after them."""

    max_head_size = 65_536
    """Bytes of request line and headers, counted when they come in pieces; httptools itself knows no limit."""

    _extensions: dict[str, Any]
    _deadline: asyncio.TimerHandle | None = None
    _is_receiving = False
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Learn who the peer is; a connection that then says nothing is closed like an idle one."""
        super().connection_made(transport)
        self._extensions = connection_extensions(transport.get_extra_info("ssl_object"))
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines of a connection that is gone."""
        self._unset_keepalive_if_required()
        self._unset_deadline()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin a request: give its scope what is known of the connection."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._is_receiving = True
        self._head_size = 0

    def on_message_complete(self) -> None:
        """The request is here as a whole."""
        super().on_message_complete()
        self._is_receiving = False

    def data_received(self, data: bytes) -> None:
        """Parse what came in; bound the time and the size of a request that is still incomplete."""
        super().data_received(data)
        if not self._is_receiving:
            self._unset_deadline()
            return
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.read_timeout, self.transport.abort)
        if self.cycle is None or self.cycle.scope is not self.scope:
            self._head_size += len(data)
            if self._head_size > self.max_head_size:
                self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request with a status alone: a body that is not signed must not leave the node."""
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _unset_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def connection_extensions(connection: ssl.SSLObject | None) -> dict[str, Any]:
    """The scope's `extensions` for a connection: the ASGI TLS extension and our `PeerCertificate`.

    Empty without TLS, as the extension's specification demands.
    """
    if connection is None:
        return {}
    tls: dict[str, Any] = {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": TLS_VERSIONS.get(connection.version() or ""),
        "cipher_suite": _cipher_suite(connection),
    }
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return {"tls": tls}
    peer = PeerCertificate.read(der)
    tls["client_cert_chain"] = [ssl.DER_cert_to_PEM_cert(der)]
    tls["client_cert_name"] = peer.subject
    return {"tls": tls, PEER_EXTENSION: peer}


def _cipher_suite(connection: ssl.SSLObject) -> int | None:
    """The suite's number in the IANA registry, which is the lower half of OpenSSL's own."""
    name = (connection.cipher() or ("", "", 0))[0]
    ids = (suite["id"] & 0xFFFF for suite in connection.context.get_ciphers() if suite["name"] == name)
    return next(ids, None)


class NodeServer:
    """One listening server, started and stopped by the node that owns it; several may share a process.

    It installs no signal handlers. When `start` returns, it listens, and `port` is the port that it got.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        self.host = config.host
        self.port = config.port
        self._config = config
        self._server = uvicorn.Server(config)

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted now."""
        return self._server.started

    async def start(self) -> None:
        """Listen.

        Raises:
            PortInUseError: the port is taken.
            CannotListenError: the address cannot be listened on for another reason.
        """
        listener = _bind(self.host, self.port, self._config.backlog)
        self.port = listener.getsockname()[1]
        if not self._config.loaded:
            self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup(sockets=[listener])

    async def stop(self) -> None:
        """Accept nothing more, let running requests end, then close what is left after the grace period."""
        if not self._server.started:
            return
        self._server.started = False
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(self._server.shutdown())
            while not ending.done():
                # Uvicorn does this once, at the beginning; a TLS handshake may be complete only after that.
                for connection in list(self._server.server_state.connections):
                    connection.shutdown()
                await asyncio.wait([ending], timeout=SWEEP_SECONDS)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

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
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(host, port) from error
        raise CannotListenError(host, port, error.strerror or str(error)) from error


def make_server(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    keep_alive: int = 30,
    grace: int = 10,
    backlog: int = 2048,
) -> NodeServer:
    """A server for `app` on `host` and `port` (0: any free one), with TLS as `tls` says or in plain HTTP.

    `keep_alive` is how many seconds an idle connection stays open, `grace` how many seconds `stop` waits.
    The application sees the address of the connection itself: X-Forwarded-For is for `source_address` to judge.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PeerProtocol,
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
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    return NodeServer(config)
