"""What a failed exchange leaves behind: nothing. The collector of a node runs so rarely that no cycle may be left."""

import asyncio
import gc
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.node.registry.service import RegistryClient, registry_transport
from shared.transport.connection import BufferedResponse, Connection
from shared.transport.transport import PooledTransport
from tests.node.certificates import Authority
from tests.node.loopback import Run
from tests.node.scripted_peer import OK, Line, Script, ScriptedPeer, answering, silence

NUMBER = 12

FEW = 2
"""The last ones may still be in the hands of the loop."""

CLOSING = OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n")
OVERSIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + bytes(3_000_000)
COMPRESSED = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 20000\r\n\r\n" + bytes(20_000)


async def cut_off(line: Line) -> None:
    await line.request()
    line.send(b"HTTP/1.1 200 OK\r\ncontent-length: 30000\r\n\r\n" + bytes(20_000))
    await line.close()


async def reset(line: Line) -> None:
    await line.request()
    line.abort()


async def without_tls(line: Line) -> None:
    line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await line.request()


@pytest.fixture
def nameless(authority: Authority) -> ssl.SSLContext:
    """Shows no certificate, and hears of it in the handshake."""
    context = ssl.create_default_context(cadata=authority.pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    _before.update({kind: _count(kind) for kind in KINDS})
    yield
    gc.enable()


KINDS = (Connection, BufferedResponse, httpx.TransportError)
_before: dict[type[Any], int] = {}


def alive(kind: type[Any]) -> int:
    """How many more of them there are than when the test began: other tests may have left some."""
    return _count(kind) - _before[kind]


def _count(kind: type[Any]) -> int:
    return sum(isinstance(found, kind) for found in gc.get_objects())


async def fail(transport: PooledTransport, peer: ScriptedPeer, **extensions: object) -> None:
    with pytest.raises(httpx.TransportError):
        await transport.handle_async_request(httpx.Request("POST", peer.url, content=b"x", extensions=extensions))


def fail_often(
    run: Run, script: Script, server: ssl.SSLContext | None, client: ssl.SSLContext, **extensions: object
) -> None:
    """Make failing exchanges, and count what is alive of them while the transport is still in use."""

    async def scenario() -> None:
        async with ScriptedPeer(script, server) as peer, PooledTransport(client) as transport:
            for _ in range(NUMBER):
                await fail(transport, peer, **extensions)
            assert alive(Connection) <= FEW
            assert alive(httpx.TransportError) <= FEW

    run(scenario())


@pytest.mark.parametrize(
    "script",
    [answering(OVERSIZED), answering(COMPRESSED), answering(b"SSH-2.0-OpenSSH\r\n"), cut_off, reset],
    ids=["oversized", "compressed", "malformed", "cut off", "reset"],
)
def test_an_answer_that_is_refused_is_freed_with_its_connection(
    run: Run, script: Script, server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    fail_often(run, script, server, client)


def test_an_answer_that_comes_too_late_is_freed_with_its_connection(
    run: Run, server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    fail_often(run, silence, server, client, timeout={"read": 0.01})


def test_a_server_that_shows_another_certificate_is_forgotten(
    run: Run, server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    fail_often(run, silence, server, client, peer_certificates={"ab" * 32})


def test_a_handshake_that_fails_is_forgotten(
    run: Run, server: ssl.SSLContext, client: ssl.SSLContext, nameless: ssl.SSLContext
) -> None:
    fail_often(run, without_tls, None, client)
    fail_often(run, silence, None, client, timeout={"connect": 0.01})
    fail_often(run, silence, server, client, sni_hostname="other.example")
    fail_often(run, silence, server, nameless)


def test_a_request_that_is_cancelled_is_forgotten(run: Run, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with ScriptedPeer(silence, server) as peer, PooledTransport(client) as transport:
            for _ in range(NUMBER):
                request = httpx.Request("POST", peer.url, content=b"x")
                task = asyncio.create_task(transport.handle_async_request(request))
                await peer.arrived.get()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert alive(Connection) <= FEW

    run(scenario())


def test_a_connection_that_has_served_is_freed_when_it_is_closed(
    run: Run, server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    async def scenario() -> None:
        async with ScriptedPeer(answering(CLOSING), server) as peer, PooledTransport(client) as transport:
            for _ in range(NUMBER):
                await transport.handle_async_request(httpx.Request("POST", peer.url, content=b"x"))
            assert alive(Connection) <= FEW

    run(scenario())


def test_an_idle_connection_holds_no_answer(run: Run, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    async def scenario() -> None:
        large = b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + bytes(50_000)
        async with ScriptedPeer(answering(large), server) as peer, PooledTransport(client) as transport:
            await transport.handle_async_request(httpx.Request("POST", peer.url, content=b"x"))
            (connection,) = transport._connections
            assert not connection.is_closed
            assert connection._body == []

    run(scenario())


@pytest.mark.parametrize("answer", [OK, OK.replace(b"200 OK", b"503 Busy")])
def test_the_answers_of_a_registry_are_freed(
    run: Run, answer: bytes, server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    async def scenario() -> None:
        async with ScriptedPeer(answering(answer), server) as peer:
            service = RegistryClient(f"https://127.0.0.1:{peer.port}", registry_transport(client))
            for _ in range(NUMBER):
                await service.post("/hb/events", "token", {})
            assert alive(BufferedResponse) <= FEW
            await service.aclose()

    run(scenario())
