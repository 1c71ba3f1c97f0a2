"""One HTTP/1.1 connection over TLS: one request at a time, one write for it, one future for its response."""

import asyncio
import ssl
from typing import Any, cast

import httptools
import httpx

from shared.transport.tls import thumbprint, told

_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


class BufferedResponse(httpx.Response):
    """A response whose body is in memory and not compressed: it is read at once, past httpx's decoders."""

    def __init__(
        self, status_code: int, headers: list[tuple[bytes, bytes]], body: bytes, extensions: dict[str, Any]
    ) -> None:
        super().__init__(status_code, headers=headers, stream=httpx.ByteStream(body), extensions=extensions)
        self._body = body

    @property
    def content(self) -> bytes:
        """The body."""
        return self._body

    def read(self) -> bytes:
        """The body."""
        return self._body

    async def aread(self) -> bytes:
        """The body. httpx.AsyncClient calls this; closing lets it note `elapsed`."""
        await self.aclose()
        self.stream = httpx.ByteStream(self._body)  # the client's own refers to this response: a cycle
        return self._body


class Connection(asyncio.Protocol):
    """A TLS connection. `is_closed` is true from the first sign that it cannot carry another request.

    `peer_certificate` is the peer's leaf (DER), read once, `peer_thumbprint` its SHA-256 in hex. `lost` is done when
    the socket is gone. `generation` is for whoever keeps connections.
    """

    def __init__(self, max_response_bytes: int, generation: int = 0) -> None:
        self.is_closed = False
        self.idle_since = 0.0
        self.generation = generation
        self.peer_certificate: bytes | None = None
        self.peer_thumbprint = ""
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._max_response_bytes = max_response_bytes
        self._answer: asyncio.Future[httpx.Response] | None = None
        self._answered_once = self._head_only = self._in_body = False
        self._received = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    async def exchange(self, message: bytes, *, head_only: bool, seconds: float | None) -> httpx.Response:
        """Write `message` and return the response, body read; `head_only`: it answers a HEAD request.

        Raises httpx.ConnectError (closed before the write, or TLS refused), ReadTimeout (not complete after
        `seconds`), ReadError (broken), RemoteProtocolError (malformed, cut off, too large). After an error or a
        cancellation the connection is closed: a late answer must never be taken for the next one.
        """
        if self.is_closed:
            raise httpx.ConnectError("the connection was closed before the request was written")
        self._head_only, self._received = head_only, 0
        answer: asyncio.Future[httpx.Response] = self._loop.create_future()
        self._answer = answer
        timer = None if seconds is None else self._loop.call_later(seconds, self._expire, seconds)
        self._transport.write(message)
        try:
            return await answer
        except asyncio.CancelledError:
            self._fail(httpx.ReadError("the request was cancelled"))
            raise
        finally:
            del answer  # it has the exception, whose traceback has this frame: a cycle with the connection in it
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Close in good order if idle, at once if a response is awaited: its caller gets httpx.ReadError."""
        if self._answer is None:
            self.is_closed = True
            self._transport.close()
        else:
            self._fail(httpx.ReadError("the connection was closed on this side before the response"))

    def _expire(self, seconds: float) -> None:
        self._fail(httpx.ReadTimeout(f"no complete response within {seconds:g} s"))

    def _fail(self, error: httpx.TransportError) -> None:
        self.is_closed = True
        self._transport.abort()
        self._headers, self._body = [], []
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        if self._head_only or not self._parser.should_keep_alive():
            self.close()  # after HEAD the parser still expects the body that Content-Length tells of
        extensions = {
            "http_version": b"HTTP/" + self._parser.get_http_version().encode("ascii"),
            "tls_peer_certificate": self.peer_certificate,
        }
        status_code, body = self._parser.get_status_code(), b"".join(self._body)
        self._body = []
        self._answered_once = True
        answer.set_result(BufferedResponse(status_code, self._headers, body, extensions))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: TLS is established."""
        self._parser = httptools.HttpResponseParser(self)  # each refers to the other, until `connection_lost`
        self._transport = cast("asyncio.Transport", transport)
        self.peer_certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        self.peer_thumbprint = thumbprint(self.peer_certificate or b"")

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came. The limit counts all of them: heads, chunk marks, body."""
        if self.is_closed:
            return  # what was still on its way
        self._received += len(data)
        if self._received > self._max_response_bytes:
            self._fail(httpx.RemoteProtocolError(f"the response exceeds {self._max_response_bytes} bytes"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._fail(httpx.RemoteProtocolError(f"the response is not HTTP/1.1: {exc}"))

    def eof_received(self) -> None:
        """asyncio: the peer closes, so this side does too and `connection_lost` follows."""
        self.is_closed = True

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the socket is gone. For a body without other framing that is its end (RFC 9112 s6.3).

        Whether somebody cut it short there, only the signature over the body can tell.
        """
        self.is_closed = True
        self.lost.set_result(None)
        if exc is None and self._in_body and not _FRAMING & {name.lower() for name, _ in self._headers}:
            self._complete()
        elif isinstance(exc, ssl.SSLError) and not self._answered_once:
            # In TLS 1.3 our certificate is refused after the handshake is done for us (RFC 8446 s4.4).
            self._fail(httpx.ConnectError(f"the peer refused the TLS connection: {told(exc)}"))
        elif self._received:
            self._fail(httpx.RemoteProtocolError(f"the connection broke amid the response: {exc or 'closed'}"))
        else:
            hint = "" if self._answered_once else "; on a new connection it may be refusing our certificate"
            self._fail(httpx.ReadError(f"the connection broke before the response: {exc or 'closed by peer'}{hint}"))
        del self._parser

    def on_message_begin(self) -> None:
        """httptools: a response starts; nobody asked for it if none is awaited."""
        self._headers, self._body = [], []
        if self._answer is None:
            self._fail(httpx.RemoteProtocolError("a response that was not asked for"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a header, or a trailer after the body: those are dropped (RFC 9110 s6.5.1)."""
        if not self._in_body:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """httptools: the head is complete. A compressed body could outgrow the limit: refused."""
        self._in_body = True
        if any(name.lower() == b"content-encoding" for name, _ in self._headers):
            self._fail(httpx.RemoteProtocolError("a compressed response; send Accept-Encoding: identity"))
        elif self._head_only and self._parser.get_status_code() >= 200:
            self._complete()

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body; what is left in the parser after a failure is dropped."""
        if not self.is_closed:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools: the response is complete, unless it is interim like 100 Continue (RFC 9110 s15.2)."""
        self._in_body = False
        if self._parser.get_status_code() >= 200:
            self._complete()
