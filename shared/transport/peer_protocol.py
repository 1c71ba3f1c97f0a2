"""HTTP/1.1 between participants: uvicorn's, given the peer's certificate, and sending no unsigned body.

Uvicorn gives the application no client certificate (the ASGI TLS extension), answers bytes that are no HTTP with a text
of its own, waits for ever for the rest of a request, and loses the body of one that offers to change the protocol. Its
parser takes heads of any size, any number of Host headers, and only the methods on its list. This corrects all that.
"""

import asyncio
import re
import ssl
from collections import Counter, deque
from itertools import chain
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from shared.transport.certificate_connections import OVER_LIMIT_EXTENSION, CertificateConnections
from shared.transport.keep_alive import announcing
from shared.transport.tls import PeerCertificate
from shared.transport.tls_extension import tls_extension

PEER_EXTENSION = "peer_certificate"
"""Key of the `PeerCertificate` in an ASGI scope's `extensions`."""

_NOWHERE: Any = deque(maxlen=0)
"""Takes the place of the list of headers when that is complete: what is put into it is dropped."""

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?= )")
"""What a request may begin with: a token (RFC 9110 s5.6.2, s9.1)."""


class PeerProtocol(HttpToolsProtocol):
    """HTTP/1.1 on one connection, with the peer's certificate in the scope of each of its requests.

    The certificate is read once per connection. A request that came in whole costs nothing more than a few
    assignments; only one that came in pieces is given a deadline.
    """

    read_timeout = 10.0
    """Seconds that a request may take from its first bytes to its last; the connection is dropped after them."""

    max_head_size, max_fields = 65_536, 200
    """Bytes of request line and headers, and how many these are; httptools itself knows no limit."""

    max_request_size = 2 * 1024 * 1024
    """Bytes of a request that came in pieces: head, body, chunk marks and trailers. A body that is only a little too
    large stays below it, so that its refusal can be signed."""

    max_waiting = 100
    """Requests that wait for the answer to an earlier one; the connection of a peer that sends more is dropped."""

    farewell = 1.0
    """Seconds that a peer gets, when the server stops, to close an idle connection on its side: a TLS connection ends
    with a word from either side (RFC 8446 s6.1), and many a client that keeps one open for later never says it."""

    _extensions: dict[str, Any]
    _holder: str | None = None
    _counted_in: Counter[str] | None = None
    _deadline: asyncio.TimerHandle | None = None
    _leaving: asyncio.Handle | None = None
    _is_receiving = False
    _has_ended_one = False
    _size = 0
    _unknown_method = ""

    def __init__(self, config: Config, server_state: ServerState, of_certificates: CertificateConnections) -> None:
        """Serve one connection; `of_certificates` counts those of the same server."""
        super().__init__(config, server_state, app_state={})
        self._of_certificates = of_certificates

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the peer's certificate; a connection that then sends nothing is closed like an idle one."""
        super().connection_made(transport)
        self._extensions = connection_extensions(transport.get_extra_info("ssl_object"))
        self._close_when_idle()
        if self.client is None:  # it has been reset already: nobody is there whom the application could answer
            transport.abort()
        elif self._extensions:
            self._holder = self._of_certificates.holder(self.peer, self.client[0])
            self._count()

    @property
    def peer(self) -> PeerCertificate | None:
        """The peer's certificate; None without TLS."""
        return self._extensions.get(PEER_EXTENSION)

    def _count(self) -> None:
        """Count the connection; one beyond the limit is good for one refusal, or for nothing at all."""
        limit = self._of_certificates
        if self._holder is None:
            return
        self._counted_in = limit.count(self._holder)
        if self._counted_in is limit.served:
            return
        if (left_out := limit.beyond.due(self._holder)) is not None:
            whose = self.peer.subject if self.peer else f"no certificate, from {self.client[0]}"  # type: ignore[index]
            told = "more than %d connections with the certificate of %s (OCEN_CONNECTIONS_PER_CERTIFICATE), and %d more"
            self.logger.warning(told, limit.maximum, whose, left_out)
        if self._counted_in is None:
            self.transport.abort()
            return
        self._extensions[OVER_LIMIT_EXTENSION] = True
        self._leaving = self.loop.call_later(limit.refusal_seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines of a connection that is gone."""
        self._unset_keepalive_if_required()
        self._unset_deadline()
        if self._counted_in is not None and self._holder is not None:
            self._of_certificates.uncount(self._counted_in, self._holder)
        if self._leaving is not None:
            self._leaving.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close the connection as soon as nothing is being answered over it; the server says this again and again."""
        if not self.transport.is_closing():  # to close it twice makes asyncio's transport deaf to `abort`
            super().shutdown()
        if self.transport.is_closing() and self._leaving is None:
            self._leaving = self.loop.call_later(self.farewell, self._leave)

    def _leave(self) -> None:
        """Drop a connection that its peer has not closed, unless it is still reading an answer."""
        self._leaving = None
        if not self.transport.get_write_buffer_size():
            self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle: the end of TLS and the end of TCP leave together.

        Uvicorn says only the end of TLS and waits, for half a minute, for the peer to say it too. A client that goes on
        using its connection until it sees the end of TCP, as Java's does, would send its next request in vain.
        """
        super().timeout_keep_alive_handler()
        if self._leaving is None:
            self._leaving = self.loop.call_soon(self._leave)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, announcing(app, cycle, self.timeout_keep_alive))

    def on_message_begin(self) -> None:
        """Begin a request: give its scope what is known of the connection."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._is_receiving = True
        self._size = 0

    def on_headers_complete(self) -> None:
        """The head is here: headers that come later are trailers, which are dropped (RFC 9110 s6.5.1)."""
        if self._is_to_be_read_again():
            return
        self._check_head()
        super().on_headers_complete()
        self.headers = _NOWHERE
        if self._unknown_method:
            self.scope["method"], self._unknown_method = self._unknown_method, ""
        if OVER_LIMIT_EXTENSION in self._extensions:
            self.cycle.keep_alive = False

    def _check_head(self) -> None:
        """Judge what httptools lets pass: raises `HttpParserError` for what is no HTTP request."""
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise httptools.HttpParserError(f"{hosts} Host headers (RFC 9112 s3.2)")
        if self.parser.should_upgrade():  # CONNECT: `_feed` has taken out any other Upgrade
            raise httptools.HttpParserError("a tunnel is asked for")
        size = len(self.url) + 4 * len(self.headers) + sum(map(len, chain.from_iterable(self.headers)))
        if size > self.max_head_size or len(self.headers) > self.max_fields:
            raise httptools.HttpParserError(f"a head of {size} bytes in {len(self.headers)} fields")

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; what comes after the answer is dropped, and does not count."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._size -= len(body)

    def on_message_complete(self) -> None:
        """The request is here as a whole."""
        if self._is_to_be_read_again():
            return
        super().on_message_complete()
        self._is_receiving = False
        self._has_ended_one = True

    def data_received(self, data: bytes) -> None:
        """Parse what came in, and see that it stays within its bounds."""
        idle = self.timeout_keep_alive_task
        self._unset_keepalive_if_required()
        self._has_ended_one = False
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            self.logger.warning("no HTTP request: %s", error.__context__ or error)  # ours, or the parser's own
            self.send_400_response("")
            return
        if len(self.pipeline) > self.max_waiting:
            self.transport.abort()
        elif self._is_receiving:
            self._bound(len(data))
        else:
            self._unset_deadline()
            if self.cycle is None or self.cycle.response_complete:
                # An empty line, or the late rest of what has been answered: uvicorn waits for an answer to it. It is no
                # request, and the connection stays as idle as it was.
                self._close_when_idle(idle.when() if idle else None)

    def _bound(self, size: int) -> None:
        """Bound the time and the size of a request that is still incomplete, and of which so many bytes more are here.

        A piece that began with the end of another request is not counted: how much of it is whose is not known.
        """
        if self._has_ended_one:
            self._unset_deadline()
        else:
            self._size += size
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.read_timeout, self.transport.abort)
        is_in_head = self.cycle is None or self.cycle.scope is not self.scope
        if self._size <= (self.max_head_size if is_in_head else self.max_request_size):
            return
        if is_in_head or not self.cycle.response_complete:
            self.send_400_response("")
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request with a status alone: a body that is not signed must not leave the node."""
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _parse(self, data: bytes) -> None:
        """Parse; httptools knows a list of methods, and any other is for the application to refuse (RFC 9110 s15.5.6).

        Such a request is parsed as a POST, if it is the first that the data begins.
        """
        is_first = not self._is_receiving
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            method = _METHOD.match(data)
            if method is None or not is_first or self._has_ended_one or "method" not in str(error):
                raise
            self._unknown_method = method[0].decode("ascii")
            self.parser = httptools.HttpRequestParser(self)  # the former takes nothing more
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's: see the pipeline
            self._feed(b"POST" + data[method.end() :])

    def _feed(self, data: bytes) -> None:
        """Parse; a request to change the protocol is ignored (RFC 9110 s7.8), which the parser does not know how to do.

        It leaves all that follows such a head to the other protocol. So it gets the head again without that request.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            else:
                return
            self.parser.feed_data(self._head_without_upgrade())

    def _is_to_be_read_again(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"  # which is refused

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _close_when_idle(self, at: float | None = None) -> None:
        at = at or self.loop.time() + self.timeout_keep_alive
        self.timeout_keep_alive_task = self.loop.call_at(at, self.timeout_keep_alive_handler)

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
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return {"tls": tls_extension(connection, None)}
    peer = PeerCertificate.read(der)
    return {"tls": tls_extension(connection, peer), PEER_EXTENSION: peer}
