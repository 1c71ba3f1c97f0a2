"""A host with several addresses: one that is dead does not use up the time in which a connection has to come about."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from shared.node.registry.service import ClientCredentials, RegistryClient, RegistryUnavailable
from shared.transport.dialing import AddressInfo, Resolve, open_socket, resolve
from shared.transport.transport import PooledTransport
from tests.node.loopback import Run
from tests.node.scripted_peer import OK, ScriptedPeer, answering, silence

GENEROUS = {"timeout": {"connect": 60.0}}


@pytest.fixture
def dead() -> Iterator[AddressInfo]:
    """An address that never answers: its backlog is full, so that what knocks is dropped."""
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.create_server(("127.0.0.9", 0), backlog=0))
        for _ in range(4):
            filling = sockets.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listening.getsockname())
        yield address_info(*listening.getsockname())


@pytest.fixture
def refusing() -> AddressInfo:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.8", 0)) as listening:
        return address_info(*listening.getsockname())


def address_info(host: str, port: int) -> AddressInfo:
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)


def at(peer: ScriptedPeer) -> AddressInfo:
    return address_info("127.0.0.1", peer.port)


def knowing(*found: AddressInfo) -> Resolve:
    async def find(host: str, port: int) -> tuple[AddressInfo, ...]:
        assert (host, port) == ("localhost", 443)
        return found

    return find


def get(**extensions: object) -> httpx.Request:
    return httpx.Request("GET", "https://localhost/", extensions=extensions or GENEROUS)


class Tried(list[str]):
    """Says when so many addresses have been tried."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.enough = asyncio.Event()
        self._number = number

    def append(self, address: str) -> None:
        super().append(address)
        if len(self) == self._number:
            self.enough.set()


def open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - it changes while it is read


@pytest.mark.parametrize("before", [["dead"], ["refusing"], ["dead", "refusing", "dead"]])
def test_the_address_that_answers_is_taken_whatever_stands_before_it(
    run: Run, before: list[str], request: pytest.FixtureRequest, client: ssl.SSLContext, server: ssl.SSLContext
) -> None:
    async def scenario() -> None:
        useless = [request.getfixturevalue(name) for name in before]
        async with ScriptedPeer(answering(OK), server) as peer:
            async with PooledTransport(client, resolve=knowing(*useless, at(peer))) as transport:
                assert (await transport.handle_async_request(get())).content == b"ok"
                assert (await transport.handle_async_request(get())).content == b"ok"
            assert (peer.connected, len(peer.requests)) == (1, 2)

    run(scenario())


@pytest.mark.parametrize("before", [0, 1, 2])
def test_of_all_sockets_only_the_one_that_is_connected_is_left_open(
    run: Run, dead: AddressInfo, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.transport.dialing.NEXT_ADDRESS_SECONDS", 0.001)

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            alive = address_info(*listening.getsockname())
            open_before = open_files()
            with await open_socket("localhost", 443, [], knowing(*[dead] * before, alive, alive)) as connected:
                assert connected.getpeername() == alive[4]
                assert open_files() == open_before + 1

    run(scenario())


def test_an_address_that_answers_in_time_is_the_only_one_that_is_called(
    run: Run, dead: AddressInfo, client: ssl.SSLContext, server: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.transport.dialing.NEXT_ADDRESS_SECONDS", 60.0)

    async def scenario() -> None:
        async with ScriptedPeer(answering(OK), server) as peer, ScriptedPeer(silence, server) as second:
            async with PooledTransport(client, resolve=knowing(at(peer), at(second))) as transport:
                await transport.handle_async_request(get())
            assert (peer.connected, second.connected) == (1, 0)

    run(scenario())


def test_when_no_address_answers_in_time_the_error_names_those_that_were_tried(
    run: Run, dead: AddressInfo, client: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.transport.dialing.NEXT_ADDRESS_SECONDS", 0.001)

    async def scenario() -> None:
        before = open_files()
        async with PooledTransport(client, resolve=knowing(dead, dead)) as transport:
            with pytest.raises(httpx.ConnectTimeout, match=r"to localhost:443 in time; tried: 127\.0\.0\.9"):
                await transport.handle_async_request(get(timeout={"connect": 0.3}))
        assert open_files() == before

    run(scenario())


def test_when_all_addresses_refuse_the_error_names_the_first_few(
    run: Run, refusing: AddressInfo, client: ssl.SSLContext
) -> None:
    async def scenario() -> None:
        async with PooledTransport(client, resolve=knowing(*[refusing] * 30)) as transport:
            with pytest.raises(httpx.ConnectError) as caught:
                await transport.handle_async_request(get())
        named = "127.0.0.8, 127.0.0.8, 127.0.0.8, 127.0.0.8 and 26 more"
        assert f"no TLS connection to localhost:443 (tried: {named}): " in str(caught.value)
        assert len(str(caught.value)) < 250

    run(scenario())


@pytest.mark.parametrize("number", [1, 3])
def test_who_gives_up_while_addresses_are_tried_leaves_no_socket_open(
    run: Run, dead: AddressInfo, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.transport.dialing.NEXT_ADDRESS_SECONDS", 0.001)

    async def scenario() -> None:
        before, tried = open_files(), Tried(number)
        task = asyncio.create_task(open_socket("localhost", 443, tried, knowing(*[dead] * number)))
        await tried.enough.wait()
        assert open_files() >= before + number - 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert open_files() == before

    run(scenario())


def test_finding_the_addresses_and_tls_count_towards_the_connect_time(run: Run, client: ssl.SSLContext) -> None:
    async def hangs(host: str, port: int) -> tuple[AddressInfo, ...]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def scenario() -> None:
        async with ScriptedPeer(silence, None) as peer:
            for find, tried in ((hangs, "none"), (knowing(at(peer)), "127.0.0.1")):
                async with PooledTransport(client, resolve=find) as transport:
                    with pytest.raises(httpx.ConnectTimeout, match=f"in time; tried: {tried}"):
                        await transport.handle_async_request(get(timeout={"connect": 0.1}))

    run(scenario())


async def test_an_address_needs_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.transport.dialing.run_in_daemon_thread", None)
    assert list(await resolve("127.0.0.1", 8443)) == [address_info("127.0.0.1", 8443)]
    assert [found[4][:2] for found in await resolve("::1", 8443)] == [("::1", 8443)]


async def test_a_name_is_asked_of_the_system() -> None:
    assert "127.0.0.1" in [found[4][0] for found in await resolve("localhost", 8443)]


async def test_calls_to_the_registry_for_a_token_and_to_the_heartbeat_try_every_address(
    dead: AddressInfo, refusing: AddressInfo, client: ssl.SSLContext, server: ssl.SSLContext
) -> None:
    document = b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\n{}"
    async with ScriptedPeer(answering(document), server) as peer:
        transport = PooledTransport(client, resolve=knowing(dead, at(peer)))
        service = RegistryClient("https://localhost", transport)
        assert await service.issue_token(ClientCredentials("client", "secret")) == {}
        assert await service.get("/service/participant-roles/1", "token") == {}
        assert await service.post("/hb/events", "token", {}) == 200
        assert peer.connected == 3
        await service.aclose()

    service = RegistryClient("https://localhost", PooledTransport(client, resolve=knowing(refusing)))
    with pytest.raises(RegistryUnavailable, match=r"tried: 127\.0\.0\.8"):
        await service.jwks()
    await service.aclose()
