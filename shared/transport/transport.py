"""The httpx transport of the signed client: HTTP/1.1 over TLS with a bounded pool of connections per origin.

The work of httpx's own pool for each request grows with the requests in flight. In this pool it does not.

Nothing is sent twice. A connection that the peer has closed is known to be closed before a request is written to
it, and another is used. After the write the peer may have acted on the request, and would refuse the same signed
bytes as a replay: the caller gets httpx.ReadError, and the courier signs anew.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Container
from typing import NamedTuple

import httpx

from shared.transport.connection import Connection
from shared.transport.dialing import Resolve, names_of, open_socket, resolve

HEAD_BYTES = 64 * 1024
"""Room for the head of a response and for chunk marks."""

MAX_RESPONSE_BYTES = 64 * 1024 + HEAD_BYTES  # 64 KiB of body: an ack has about one
_TLS_SHUTDOWN_SECONDS = 1.0


class UnregisteredCertificateError(httpx.ConnectError):
    """The server shows a certificate that is none of those that it may show; nothing was sent to it."""


class _Address(NamedTuple):
    """Where an origin is, and the name that its certificate must show."""

    host: str
    port: int
    server_hostname: str


def _address(request: httpx.Request) -> _Address:
    url = request.url
    if url.scheme != "https":
        raise httpx.UnsupportedProtocol(f"{url.scheme}:// is refused: calls go over https:// only")
    host = url.raw_host.decode("ascii")
    return _Address(host, url.port or 443, request.extensions.get("sni_hostname") or host)


def _message(request: httpx.Request) -> bytes:
    """Head and body of `request` as one message (RFC 9112 s3); httpx.LocalProtocolError if it cannot be one."""
    try:
        body = request.content
    except httpx.RequestNotRead as exc:
        raise httpx.LocalProtocolError("the body is a stream; give the request its content as bytes") from exc
    fields = request.headers.raw
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % field for field in fields]
    head = b"\r\n".join(lines)
    if head.count(b"\r") != len(fields) or head.count(b"\n") != len(fields):
        raise httpx.LocalProtocolError("a request header holds a line break; remove it")
    if b"\ntransfer-encoding:" in head.lower():
        raise httpx.LocalProtocolError("transfer-encoding is not spoken; give the request its content as bytes")
    return b"%b\r\n\r\n%b" % (head, body)


class _Origin:
    """The connections to one address. Permits, first come first served, bound those in use; the rest are idle.

    A connection is opened only with a permit and when none is idle, so all of them never exceed the permits.
    """

    def __init__(self, max_connections: int, idle_seconds: float) -> None:
        self.permits = asyncio.Semaphore(max_connections)
        self._idle: deque[Connection] = deque()  # the longest idle first
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._sweep: asyncio.TimerHandle | None = None

    async def acquire(self, seconds: float | None) -> None:
        """Take a permit. Raises httpx.PoolTimeout if there is none within `seconds`."""
        if not self.permits.locked():
            await self.permits.acquire()
            return
        try:
            async with asyncio.timeout(seconds):
                await self.permits.acquire()
        except TimeoutError as exc:
            raise httpx.PoolTimeout("all connections to the peer are in use") from exc

    def take(self, allowed: Container[str] | None, generation: int = 0) -> Connection | None:
        """The live connection used last, so that those not needed grow old.

        One to a peer not allowed is closed, and one of another generation.
        """
        while self._idle:
            connection = self._idle.pop()
            is_allowed = allowed is None or connection.peer_thumbprint in allowed
            if not is_allowed or connection.generation != generation:
                connection.close()
            elif not connection.is_closed:
                return connection
        return None

    def keep(self, connection: Connection) -> None:
        """Keep a connection for the next request; `take` will see whether it is closed by then."""
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_seconds, self._close_old)

    def _close_old(self) -> None:
        self._sweep = None
        limit = self._loop.time() - self._idle_seconds
        while self._idle and self._idle[0].idle_since <= limit:
            self._idle.popleft().close()
        if self._idle:
            self._sweep = self._loop.call_later(self._idle[0].idle_since - limit, self._close_old)


class PooledTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over TLS for small messages; a response comes with its body read.

    `ssl_context` may be a function: it is asked for each new connection, so trust changes without a restart.
    Open connections stay until `renew`: compare the response extension `tls_peer_certificate` (DER) each time.

    The request extension `peer_certificates` holds the thumbprints of the certificates that the server may show: to
    another server not one byte of the request goes out, for a v3 signature does not name its receiver.

    Seconds come from httpx's `timeout` extension: `pool` for a permit, `connect` for finding the addresses of the host,
    TCP and TLS together, `read` from the write to the end of the response. `write` is not used: who does not read the
    request does not answer it.
    """

    def __init__(
        self,
        ssl_context: ssl.SSLContext | Callable[[], ssl.SSLContext],
        *,
        max_connections_per_origin: int = 64,
        idle_seconds: float = 30.0,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        resolve: Resolve = resolve,
    ) -> None:
        self._ssl_context = ssl_context
        self._resolve = resolve
        self._max_connections_per_origin = max_connections_per_origin
        self._idle_seconds = idle_seconds
        self._max_response_bytes = max_response_bytes
        self._origins: dict[_Address, _Origin] = {}
        self._connections: set[Connection] = set()
        self._generation = 0
        self._is_closed = False

    def renew(self) -> None:
        """Send what comes from now on over new connections; requests in flight end on theirs.

        For a new certificate of ours: a connection goes on showing the one that it began with.
        """
        self._generation += 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` (content in memory) and return its response.

        Raises httpx.UnsupportedProtocol, LocalProtocolError, PoolTimeout, ConnectTimeout, UnregisteredCertificateError,
        and what `Connection.exchange` raises. After ReadTimeout, ReadError, RemoteProtocolError the peer may have
        acted.
        """
        address = _address(request)
        message = _message(request)
        timeouts = request.extensions.get("timeout", {})
        allowed = request.extensions.get("peer_certificates")
        origin = self._origins.get(address)
        if origin is None:
            origin = self._origins[address] = _Origin(self._max_connections_per_origin, self._idle_seconds)
        await origin.acquire(timeouts.get("pool"))
        try:
            connection = origin.take(allowed, self._generation)
            connection = connection or await self._connect(address, timeouts.get("connect"), allowed)
            head_only = request.method == "HEAD"
            response = await connection.exchange(message, head_only=head_only, seconds=timeouts.get("read"))
            origin.keep(connection)
        finally:
            origin.permits.release()
        return response

    async def aclose(self) -> None:
        """Close all connections and wait until they are gone; requests in flight get httpx.ReadError."""
        self._is_closed = True
        for connection in self._connections:
            connection.close()
        if self._connections:
            await asyncio.wait([connection.lost for connection in self._connections])

    async def _connect(self, address: _Address, seconds: float | None, allowed: Container[str] | None) -> Connection:
        if self._is_closed:
            raise httpx.ConnectError("the transport is closed")
        place, generation = f"{address.host}:{address.port}", self._generation
        context = self._ssl_context() if callable(self._ssl_context) else self._ssl_context
        tried: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._max_response_bytes, generation),
                    sock=await open_socket(address.host, address.port, tried, self._resolve),
                    ssl=context,
                    server_hostname=address.server_hostname,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS,
                )
        except TimeoutError as exc:
            raise httpx.ConnectTimeout(f"no TLS connection to {place} in time; tried: {names_of(tried)}") from exc
        except (OSError, ValueError) as exc:
            # Without its traceback: frames of asyncio there refer to the exception, a cycle with the connection in it.
            cause = exc.with_traceback(None)
            raise httpx.ConnectError(f"no TLS connection to {place} (tried: {names_of(tried)}): {exc}") from cause
        if allowed is not None and connection.peer_thumbprint not in allowed:
            connection.close()
            shown = f"sha256 {connection.peer_thumbprint[:16]}..."
            found = f"{place} shows a certificate that its participant has not registered: {shown}"
            raise UnregisteredCertificateError(found)
        self._connections.add(connection)
        connection.lost.add_done_callback(lambda _: self._connections.discard(connection))
        if self._is_closed:
            connection.close()
        return connection
