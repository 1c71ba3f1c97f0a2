"""Whom the pooled transport connects to, and how a connection that does not come about is reported."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from shared.node.registry.service import registry_transport
from shared.transport.tls import client_context, server_context, thumbprint
from shared.transport.transport import PooledTransport
from tests.node.certificates import Authority, Identity
from tests.node.scripted_peer import OK, Line, ScriptedPeer, answering, silence


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Authority().issue(tmp_path)


@pytest.fixture
def client(identity: Identity) -> ssl.SSLContext:
    return client_context(identity.certificate, identity.private_key, Authority().pem)


@pytest.fixture
def server(identity: Identity) -> ssl.SSLContext:
    return server_context(identity.certificate, identity.private_key, Authority().pem)


def get(peer: ScriptedPeer, **extensions: object) -> httpx.Request:
    return httpx.Request("GET", peer.url, extensions=extensions)


async def test_the_name_in_the_url_or_sni_hostname_is_asked_for_and_verified(
    client: ssl.SSLContext, server: ssl.SSLContext
) -> None:
    asked: list[str | None] = []
    server.sni_callback = lambda _object, name, _context: asked.append(name)
    async with ScriptedPeer(answering(OK), server) as peer, PooledTransport(client) as transport:
        await transport.handle_async_request(get(peer))
        await transport.handle_async_request(get(peer, sni_hostname="localhost"))
        with pytest.raises(httpx.ConnectError, match=r"not valid for 'other\.example'"):
            await transport.handle_async_request(get(peer, sni_hostname="other.example"))
        assert asked == [None, "localhost", "other.example"]
        assert len(peer.requests) == 2


async def test_trust_is_asked_for_each_new_connection(
    client: ssl.SSLContext, server: ssl.SSLContext, identity: Identity
) -> None:
    last = OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n")
    contexts = [client, client_context(identity.certificate, identity.private_key, "")]
    async with (
        ScriptedPeer(answering(OK, last), server) as peer,
        PooledTransport(lambda: contexts.pop(0)) as transport,
    ):
        await transport.handle_async_request(get(peer))
        await transport.handle_async_request(get(peer))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await transport.handle_async_request(get(peer))
        assert len(peer.requests) == 2


async def test_to_a_server_with_another_certificate_than_the_registered_one_nothing_is_sent(
    client: ssl.SSLContext, server: ssl.SSLContext
) -> None:
    async with ScriptedPeer(answering(OK), server) as peer, PooledTransport(client) as transport:
        with pytest.raises(httpx.ConnectError, match="shows a certificate that its participant has not registered"):
            await transport.handle_async_request(get(peer, peer_certificates={"ab" * 32}))
        assert await peer.ended.get() == 1
        assert peer.requests == []


async def test_a_connection_is_used_again_only_while_its_certificate_is_registered(
    client: ssl.SSLContext, server: ssl.SSLContext, identity: Identity
) -> None:
    registered = {thumbprint(identity.der)}
    async with ScriptedPeer(answering(OK, OK), server) as peer, PooledTransport(client) as transport:
        for _ in range(2):
            await transport.handle_async_request(get(peer, peer_certificates=registered))
        assert (peer.connected, len(peer.requests)) == (1, 2)
        with pytest.raises(httpx.ConnectError, match="has not registered: sha256"):
            await transport.handle_async_request(get(peer, peer_certificates={"ab" * 32}))
        assert {await peer.ended.get() for _ in range(2)} == {1, 2}
        assert len(peer.requests) == 2


async def test_a_peer_that_refuses_our_certificate_is_a_connect_error(server: ssl.SSLContext) -> None:
    nameless = ssl.create_default_context(cadata=Authority().pem)
    nameless.maximum_version = ssl.TLSVersion.TLSv1_2
    async with ScriptedPeer(answering(OK), server) as peer, PooledTransport(nameless) as transport:
        with pytest.raises(httpx.ConnectError, match="no TLS connection"):
            await transport.handle_async_request(get(peer))
        assert peer.requests == []


async def test_a_refusal_that_tls_1_3_brings_late_says_what_it_may_be(server: ssl.SSLContext) -> None:
    nameless = ssl.create_default_context(cadata=Authority().pem)
    async with ScriptedPeer(answering(OK), server) as peer, PooledTransport(nameless) as transport:
        with pytest.raises(httpx.NetworkError, match="certificate"):
            await transport.handle_async_request(get(peer))
        assert peer.requests == []


async def test_an_address_that_nobody_answers_at_is_a_connect_error(client: ssl.SSLContext) -> None:
    async with ScriptedPeer(silence, None) as peer:
        pass
    async with PooledTransport(client) as transport:
        for url in (peer.url, "https://.example/"):
            with pytest.raises(httpx.ConnectError, match="no TLS connection to"):
                await transport.handle_async_request(httpx.Request("GET", url))


async def test_a_server_without_tls_is_a_connect_error(client: ssl.SSLContext) -> None:
    async def script(line: Line) -> None:
        line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await line.request()

    async with ScriptedPeer(script, None) as peer, PooledTransport(client) as transport:
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(get(peer))


async def test_a_handshake_that_takes_too_long_is_a_connect_timeout(client: ssl.SSLContext) -> None:
    async with (
        ScriptedPeer(silence, None) as peer,
        PooledTransport(client, max_connections_per_origin=1) as transport,
    ):
        for _ in range(2):
            with pytest.raises(httpx.ConnectTimeout):
                await transport.handle_async_request(get(peer, timeout={"connect": 0.05}))
        assert {await peer.ended.get() for _ in range(2)} == {1, 2}


async def test_a_connection_that_opens_while_the_transport_closes_is_closed_unused(
    client: ssl.SSLContext, server: ssl.SSLContext
) -> None:
    closing: list[asyncio.Task[None]] = []

    def context() -> ssl.SSLContext:
        closing.append(asyncio.create_task(transport.aclose()))
        return client

    transport = PooledTransport(context)
    async with ScriptedPeer(answering(OK), server) as peer:
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(get(peer))
        await asyncio.gather(*closing)
        assert await peer.ended.get() == 1
        assert peer.requests == []


async def test_of_a_registry_more_is_read_than_of_a_counterparty(
    client: ssl.SSLContext, server: ssl.SSLContext
) -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n" + bytes(4 * 1024 * 1024)
    async with (
        ScriptedPeer(answering(large), server) as peer,
        registry_transport(client) as at_the_registry,
        PooledTransport(client) as at_a_counterparty,
    ):
        assert len((await at_the_registry.handle_async_request(get(peer))).content) == 4 * 1024 * 1024
        with pytest.raises(httpx.RemoteProtocolError, match="the response exceeds 131072 bytes"):
            await at_a_counterparty.handle_async_request(get(peer))
