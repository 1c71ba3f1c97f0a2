"""One source has only so many unfinished connections, and what it opens beyond them keeps nobody else out."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from shared.ip_addresses import Network
from shared.transport import accept_loop
from shared.transport.accept_loop import AcceptLoop
from shared.transport.server import NodeServer, make_server
from shared.transport.tls import TlsTrust
from tests.equipment.deadline import DEADLINE
from tests.node.certificates import Authority, Identity
from tests.node.loopback import GET, Run, Witness, caller, send

STRANGER = "127.0.0.2"
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is closed for being late."""
    monkeypatch.setattr(AcceptLoop, "first_byte_seconds", 600)
    monkeypatch.setattr(AcceptLoop, "handshake_seconds", 600)


class Crowd:
    """Connections of one stranger, each of which says the same and then no more."""

    def __init__(self, port: int, said: bytes) -> None:
        self._port = port
        self._said = said
        self._writers: list[asyncio.StreamWriter] = []
        self._ends: set[asyncio.Task[bytes]] = set()

    async def grow(self, size: int) -> None:
        for _ in range(size):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(STRANGER, 0))
            writer.write(self._said)
            self._writers.append(writer)
            self._ends.add(asyncio.create_task(self._until_closed(reader)))

    async def _until_closed(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionError:
            return b""

    @property
    def closed(self) -> int:
        """How many the server has closed by now."""
        return sum(end.done() for end in self._ends)

    async def wait_for_closed(self, number: int) -> None:
        while self.closed < number:
            await asyncio.wait([end for end in self._ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)

    async def leave(self) -> None:
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._ends)


def server(witness: Witness, trust: TlsTrust, unlimited: Sequence[Network] = ()) -> NodeServer:
    return make_server(witness, host="127.0.0.1", port=0, tls=trust.server, unlimited_sources=unlimited)


@pytest.mark.parametrize("said", [b"", HALF_A_HELLO], ids=["silent", "half a hello"])
def test_of_what_a_stranger_opens_beyond_64_unfinished_connections_some_wait_the_rest_is_closed_and_a_peer_comes_in(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    said: bytes,
    caplog: pytest.LogCaptureFixture,
):
    async def crowd_and_call() -> tuple[int, list[bytes]]:
        async with server(witness, trust) as node, asyncio.timeout(DEADLINE):
            crowd = Crowd(node.port, said)
            await crowd.grow(64 + AcceptLoop.max_waiting + 20)
            await crowd.wait_for_closed(20)
            answers = await send(node.port, caller(lsp, authority), GET)
            closed = crowd.closed
            await crowd.leave()
            return closed, answers

    closed, answers = run(crowd_and_call())
    assert (closed, len(answers)) == (20, 1)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith(f"connection of {STRANGER} closed: its source has too many unfinished handshakes")


def test_a_peer_that_opens_more_at_once_than_one_source_may_have_unfinished_is_served_over_all(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "max_unfinished_of_source", 2)
    shaking: list[int] = []
    shake_hands = AcceptLoop._shake_hands

    async def count(door: AcceptLoop, *of: Any) -> None:
        shaking.append(1)
        await shake_hands(door, *of)
        shaking.pop()

    monkeypatch.setattr(AcceptLoop, "_shake_hands", count)

    async def call_at_once() -> list[list[bytes]]:
        async with server(witness, trust) as node, asyncio.timeout(DEADLINE):
            calls = [send(node.port, caller(lsp, authority), GET) for _ in range(12)]
            return await asyncio.gather(*calls)

    assert [len(answers) for answers in run(call_at_once())] == [1] * 12
    assert shaking == []


def test_a_stranger_whose_turn_does_not_come_is_closed_and_leaves_its_place(
    run: Run, witness: Witness, trust: TlsTrust, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "max_unfinished_of_source", 1)
    monkeypatch.setattr(AcceptLoop, "max_waiting", 2)

    async def crowd() -> int:
        async with server(witness, trust) as node, asyncio.timeout(DEADLINE):
            monkeypatch.setattr(AcceptLoop, "first_byte_seconds", 0.5)
            strangers = Crowd(node.port, b"")
            await strangers.grow(3)
            await strangers.wait_for_closed(3)
            again = Crowd(node.port, b"")
            await again.grow(3)
            await again.wait_for_closed(3)
            await strangers.leave()
            await again.leave()
            return node._accept_loop._waiting

    assert run(crowd()) == 0


def test_where_all_places_are_taken_the_source_with_most_gives_one_up_for_a_peer(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "max_handshakes", 8)
    monkeypatch.setattr(AcceptLoop, "max_waiting", 0)

    async def crowd_and_call() -> tuple[int, list[bytes]]:
        async with server(witness, trust) as node, asyncio.timeout(DEADLINE):
            crowd = Crowd(node.port, HALF_A_HELLO)
            await crowd.grow(12)
            await crowd.wait_for_closed(5)
            answers = await send(node.port, caller(lsp, authority), GET)
            closed = crowd.closed
            await crowd.leave()
            return closed, answers

    closed, answers = run(crowd_and_call())
    assert (closed, len(answers)) == (6, 1)


def test_connections_that_are_finished_do_not_count(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(AcceptLoop, "max_unfinished_of_source", 1)

    async def call_over_three() -> None:
        async with server(witness, trust) as node, asyncio.timeout(DEADLINE):
            held = []
            for _ in range(3):
                tls = caller(lsp, authority)
                ends = await asyncio.open_connection("127.0.0.1", node.port, ssl=tls, server_hostname="localhost")
                ends[1].write(GET)
                assert (await ends[0].read(15)) == b"HTTP/1.1 200 OK"
                held.append(ends[1])
            for writer in held:
                writer.close()

    run(call_over_three())
    assert len(witness.scopes) == 3


def test_an_unlimited_source_may_have_more_unfinished_connections(
    run: Run, witness: Witness, trust: TlsTrust, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "max_unfinished_of_source", 2)
    taken = asyncio.Semaphore(0)
    shake_hands = AcceptLoop._shake_hands

    async def count(door: AcceptLoop, *of: Any) -> None:
        taken.release()
        await shake_hands(door, *of)

    monkeypatch.setattr(AcceptLoop, "_shake_hands", count)

    async def crowd() -> int:
        async with server(witness, trust, (ip_network("127.0.0.2/32"),)) as node, asyncio.timeout(DEADLINE):
            strangers = Crowd(node.port, b"")
            await strangers.grow(5)
            for _ in range(5):
                await taken.acquire()
            closed = strangers.closed
            await strangers.leave()
            return closed

    assert run(crowd()) == 0


def test_a_flood_of_connections_leaves_turns_of_the_loop_to_others(
    run: Run, witness: Witness, trust: TlsTrust, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "max_unfinished_of_source", 0)
    monkeypatch.setattr(AcceptLoop, "max_waiting", 0)
    taken_in_turn = [0]
    take_one = AcceptLoop._take_one

    async def count(door: AcceptLoop) -> None:
        await take_one(door)
        taken_in_turn[-1] += 1

    monkeypatch.setattr(AcceptLoop, "_take_one", count)

    async def flood() -> None:
        async with server(witness, trust) as node, asyncio.timeout(DEADLINE):
            strangers = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(100)]  # in the backlog
            while sum(taken_in_turn) < len(strangers):
                taken_in_turn.append(0)
                await asyncio.sleep(0)
            for stranger in strangers:
                stranger.close()

    run(flood())
    assert 0 < max(taken_in_turn) <= accept_loop.CONNECTIONS_PER_TURN
