"""Which connection the pooled transport uses for a request, and when it sends nothing."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import uvloop

from shared.transport.tls import client_context, server_context
from shared.transport.transport import PooledTransport
from tests.node.certificates import Authority, Identity
from tests.node.scripted_peer import OK, Line, Script, ScriptedPeer, answering, silence

Listen = Callable[[Script], Awaitable[ScriptedPeer]]


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Authority().issue(tmp_path)


@pytest.fixture
def client(identity: Identity) -> ssl.SSLContext:
    return client_context(identity.certificate, identity.private_key, Authority().pem)


@pytest.fixture
def server(identity: Identity) -> ssl.SSLContext:
    return server_context(identity.certificate, identity.private_key, Authority().pem)


@pytest.fixture
async def listen(server: ssl.SSLContext) -> AsyncIterator[Listen]:
    """Start a peer that follows a script."""
    async with contextlib.AsyncExitStack() as peers:

        async def start(script: Script) -> ScriptedPeer:
            return await peers.enter_async_context(ScriptedPeer(script, server))

        yield start


@pytest.fixture
async def transport(client: ssl.SSLContext) -> AsyncIterator[PooledTransport]:
    async with PooledTransport(client) as transport:
        yield transport


@pytest.fixture
async def narrow(client: ssl.SSLContext) -> AsyncIterator[PooledTransport]:
    """A transport with one connection per origin."""
    async with PooledTransport(client, max_connections_per_origin=1) as transport:
        yield transport


def post(url: str, body: bytes = b"body", **extensions: object) -> httpx.Request:
    return httpx.Request("POST", url, content=body, extensions=extensions)


def start(transport: PooledTransport, request: httpx.Request) -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task(transport.handle_async_request(request))


async def test_head_and_body_reach_the_peer_as_they_are(listen: Listen, transport: PooledTransport) -> None:
    peer = await listen(answering(OK))
    headers = [("X-Two", "1"), ("x-two", "2")]
    request = httpx.Request("POST", f"{peer.url}?page=%41 b", headers=headers, content=b"\x00body")
    assert (await transport.handle_async_request(request)).content == b"ok"
    host = f"Host: 127.0.0.1:{peer.port}\r\n".encode()
    lines = b"POST /v3/LoanRequest?page=%41%20b HTTP/1.1\r\n" + host
    assert peer.requests == [lines + b"X-Two: 1\r\nx-two: 2\r\nContent-Length: 5\r\n\r\n\x00body"]


async def test_requests_one_after_another_share_a_connection_and_show_its_certificate(
    listen: Listen, transport: PooledTransport, identity: Identity
) -> None:
    peer = await listen(answering(OK))
    seen = [(await transport.handle_async_request(post(peer.url))).extensions for _ in range(3)]
    assert seen == [{"http_version": b"HTTP/1.1", "tls_peer_certificate": identity.der}] * 3
    assert seen[0]["tls_peer_certificate"] is seen[2]["tls_peer_certificate"]
    assert (peer.connected, len(peer.requests)) == (1, 3)


async def test_after_a_renewal_nothing_is_sent_over_the_connections_of_before(
    listen: Listen, transport: PooledTransport
) -> None:
    answer = asyncio.Event()

    async def when_told(line: Line) -> None:
        while await line.request():
            await answer.wait()
            line.send(OK)

    peer = await listen(when_told)
    under_way = start(transport, post(peer.url))
    await peer.arrived.get()
    transport.renew()
    answer.set()
    assert (await under_way).status_code == 200
    assert peer.connected == 1

    for _ in range(2):
        await transport.handle_async_request(post(peer.url))

    assert (peer.connected, len(peer.requests)) == (2, 3)
    assert await peer.ended.get() == 1


async def test_waiters_are_served_in_their_order_over_the_bounded_connections(
    listen: Listen, narrow: PooledTransport
) -> None:
    peer = await listen(answering(OK))
    names = [b"%d" % number for number in range(20)]
    await asyncio.gather(*(start(narrow, post(peer.url, name)) for name in names))
    assert [request.rpartition(b"\r\n")[2] for request in peer.requests] == names
    assert peer.connected == 1


async def test_a_waiter_gives_up_after_the_pool_timeout(listen: Listen, narrow: PooledTransport) -> None:
    peer = await listen(silence)
    first = start(narrow, post(peer.url))
    await peer.arrived.get()
    with pytest.raises(httpx.PoolTimeout):
        await narrow.handle_async_request(post(peer.url, timeout={"pool": 0.01}))
    assert len(peer.requests) == 1
    assert not first.done()


async def test_a_cancelled_waiter_does_not_hold_up_the_others(listen: Listen, narrow: PooledTransport) -> None:
    may_answer = asyncio.Event()

    async def script(line: Line) -> None:
        while True:
            await line.request()
            await may_answer.wait()
            line.send(OK)

    peer = await listen(script)
    tasks = [start(narrow, post(peer.url, name)) for name in (b"a", b"b", b"c")]
    await peer.arrived.get()
    tasks[1].cancel()
    may_answer.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert [request[-1:] for request in peer.requests] == [b"a", b"c"]


async def first_stays_unanswered(line: Line) -> None:
    await line.request()
    if line.number > 1:
        line.send(OK)
    await line.request()


async def test_a_cancelled_request_closes_its_connection(listen: Listen, narrow: PooledTransport) -> None:
    peer = await listen(first_stays_unanswered)
    cancelled = start(narrow, post(peer.url))
    await peer.arrived.get()
    cancelled.cancel()
    assert (await narrow.handle_async_request(post(peer.url))).content == b"ok"
    assert await peer.ended.get() == 1
    assert peer.connected == 2


async def test_a_late_answer_ends_in_a_read_timeout_and_a_closed_connection(
    listen: Listen, narrow: PooledTransport
) -> None:
    peer = await listen(first_stays_unanswered)
    with pytest.raises(httpx.ReadTimeout, match=r"0\.5 s"):
        await narrow.handle_async_request(post(peer.url, timeout={"read": 0.5}))
    assert (await narrow.handle_async_request(post(peer.url))).content == b"ok"
    assert await peer.ended.get() == 1


async def test_idle_connections_are_closed_after_their_time(listen: Listen, client: ssl.SSLContext) -> None:
    peer = await listen(answering(OK))
    async with PooledTransport(client, idle_seconds=0.0) as transport:
        await asyncio.gather(*(start(transport, post(peer.url)) for _ in range(3)))
        assert {await peer.ended.get() for _ in range(3)} == {1, 2, 3}


async def test_a_connection_closed_while_idle_is_replaced_before_anything_is_written(
    listen: Listen, transport: PooledTransport
) -> None:
    is_idle = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        line.send(OK)
        await is_idle.wait()

    peer = await listen(script)
    await transport.handle_async_request(post(peer.url))
    (connection,) = transport._connections
    is_idle.set()
    await connection.lost
    assert (await transport.handle_async_request(post(peer.url))).content == b"ok"
    assert (peer.connected, len(peer.requests)) == (2, 2)


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_request_once_written_is_not_repeated(listen: Listen, transport: PooledTransport, end: str) -> None:
    async def script(line: Line) -> None:
        await line.request()
        line.send(OK)
        await line.request()
        line.abort() if end == "abort" else await line.close()

    peer = await listen(script)
    await transport.handle_async_request(post(peer.url))
    with pytest.raises(httpx.ReadError, match="before the response"):
        await transport.handle_async_request(post(peer.url, b"again"))
    assert (peer.connected, len(peer.requests)) == (1, 2)


async def test_closing_ends_what_is_idle_in_flight_and_waiting(listen: Listen, narrow: PooledTransport) -> None:
    idle, busy = await listen(answering(OK)), await listen(silence)
    await narrow.handle_async_request(post(idle.url))
    tasks = [start(narrow, post(busy.url)) for _ in range(2)]
    await busy.arrived.get()
    await narrow.aclose()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [httpx.ReadError, httpx.ConnectError]
    assert (await idle.ended.get(), await busy.ended.get()) == (1, 1)
    with pytest.raises(httpx.ConnectError, match="closed"):
        await narrow.handle_async_request(post(idle.url))
    assert (idle.connected, busy.connected) == (1, 1)


async def test_a_body_may_end_with_the_connection(listen: Listen, transport: PooledTransport) -> None:
    async def script(line: Line) -> None:
        await line.request()
        line.send(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\nsorry")
        await line.close()

    peer = await listen(script)
    assert (await transport.handle_async_request(post(peer.url))).content == b"sorry"


async def test_it_serves_httpx_as_any_transport_does(listen: Listen, transport: PooledTransport) -> None:
    peer = await listen(answering(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 2\r\n\r\n{}", OK))
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.post(peer.url, json={})
        assert (response.status_code, response.json(), response.http_version) == (302, {}, "HTTP/1.1")
        assert response.elapsed.total_seconds() >= 0
        assert (await client.get(peer.url)).text == "ok"
    assert peer.connected == 1


def test_it_does_the_same_on_uvloop(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with (
            ScriptedPeer(first_stays_unanswered, server) as peer,
            PooledTransport(client, max_connections_per_origin=1) as transport,
        ):
            with pytest.raises(httpx.ReadTimeout):
                await transport.handle_async_request(post(peer.url, timeout={"read": 0.5}))
            assert (await transport.handle_async_request(post(peer.url))).content == b"ok"
            with pytest.raises(httpx.ReadError):
                await transport.handle_async_request(post(peer.url))
            assert (peer.connected, len(peer.requests)) == (2, 3)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
