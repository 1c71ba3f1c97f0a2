"""A witness behind a real server on loopback, and the callers who try to reach it."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from shared.transport.server import make_server
from shared.transport.tls import client_context
from tests.node.certificates import Authority, Identity

GET = b"GET /v3/heartbeat HTTP/1.1\r\nhost: localhost\r\n\r\n"
POST = b"POST /v3/requests HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello"

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

REFUSED = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)
"""What a caller may see of a server that does not want to talk to it."""

Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine to its end on some event loop."""


class Witness:
    """An application that keeps every scope and body it is shown, so that a test can say: nothing reached it."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event["body"]
            more = event["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"seen"})


def caller(own: Identity, authority: Authority, version: ssl.TLSVersion = TLS13) -> ssl.SSLContext:
    context = client_context(own.certificate, own.private_key, authority.pem)
    context.maximum_version = version
    return context


async def send(port: int, tls: ssl.SSLContext | None, *requests: bytes) -> list[bytes]:
    """The answers to requests sent one after another over one connection."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    answers = []
    try:
        for request in requests:
            writer.write(request)
            answers.append(await read_answer(reader))
    finally:
        writer.close()
    return answers


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def exchange(
    app: Any, server: ssl.SSLContext | None, client: ssl.SSLContext | None, *requests: bytes
) -> list[bytes]:
    async with make_server(app, host="127.0.0.1", port=0, tls=server) as node:
        return await send(node.port, client, *requests)


async def talk_until_dropped(app: Any, client: ssl.SSLContext | None, *pieces: bytes, **server: Any) -> bytes:
    """Send pieces, then wait for the server to end the connection; what it said before that."""
    async with make_server(app, host="127.0.0.1", port=0, **server) as node:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", node.port, ssl=client, server_hostname="localhost" if client else None
        )
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


class Written(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed
