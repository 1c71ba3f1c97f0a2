"""The door of a server: strangers who say nothing are shown out, and are never so many that nobody else comes in."""

import asyncio
import errno
import socket
from typing import Any

import pytest

from shared.transport import accept_loop
from shared.transport.accept_loop import AcceptLoop
from shared.transport.server import NodeServer, make_server
from shared.transport.tls import TlsTrust
from tests.equipment.deadline import DEADLINE
from tests.node.certificates import Authority, Identity
from tests.node.loopback import GET, Run, Witness, caller, send, talk_until_dropped

HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01"


def test_a_stranger_who_does_not_finish_the_handshake_is_dropped(
    run: Run, witness: Witness, trust: TlsTrust, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "handshake_seconds", 0.05)
    assert run(talk_until_dropped(witness, None, HALF_A_HELLO, tls=trust.server)) == b""
    assert witness.scopes == []


@pytest.mark.parametrize("with_tls", [True, False], ids=["TLS", "plain"])
def test_a_stranger_who_says_nothing_is_dropped_before_anything_is_made_for_the_connection(
    run: Run, witness: Witness, trust: TlsTrust, with_tls: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "first_byte_seconds", 0.05)
    monkeypatch.setattr(NodeServer, "_protocol", None)
    assert run(talk_until_dropped(witness, None, tls=trust.server if with_tls else None)) == b""


def test_only_so_many_strangers_are_let_in_at_a_time_and_a_peer_comes_in_after_them(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AcceptLoop, "first_byte_seconds", 1.0)
    monkeypatch.setattr(AcceptLoop, "max_handshakes", 2)
    monkeypatch.setattr(AcceptLoop, "max_waiting", 0)
    seen: list[int] = []
    shake_hands = AcceptLoop._shake_hands

    async def count(door: AcceptLoop, *of: Any) -> None:
        seen.append(door.handshakes)
        await shake_hands(door, *of)

    monkeypatch.setattr(AcceptLoop, "_shake_hands", count)

    async def crowd() -> list[bytes]:
        async with (
            make_server(witness, host="127.0.0.1", port=0, tls=trust.server) as node,
            asyncio.timeout(DEADLINE),
        ):
            strangers = [await asyncio.open_connection("127.0.0.1", node.port) for _ in range(5)]
            answers = await send(node.port, caller(lsp, authority), GET)
            for reader, writer in strangers:
                assert await reader.read() == b""
                writer.close()
            return answers

    assert len(run(crowd())) == 1
    assert (len(seen), max(seen)) == (6, 2)


def test_a_handshake_that_never_ends_does_not_outlive_the_server(run: Run, witness: Witness, trust: TlsTrust):
    async def stop_meanwhile() -> bytes:
        node = make_server(witness, host="127.0.0.1", port=0, tls=trust.server)
        await node.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        # Connections are taken in their order: when the second has been refused, the first has been taken.
        refused, second = await asyncio.open_connection("127.0.0.1", node.port)
        second.write(b"no TLS\r\n\r\n")
        await refused.read()
        await node.stop()
        async with asyncio.timeout(DEADLINE):
            said = await reader.read()
        writer.close()
        second.close()
        return said

    assert run(stop_meanwhile()) == b""


def test_a_connection_that_cannot_be_taken_is_not_the_last(
    witness: Witness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    failures = [OSError(errno.EMFILE, "Too many open files")] * 3
    accept = asyncio.SelectorEventLoop.sock_accept

    async def fail_at_first(loop: Any, listener: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return await accept(loop, listener)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_accept", fail_at_first)
    monkeypatch.setattr(accept_loop, "PAUSE_SECONDS", 0)

    async def call() -> list[bytes]:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None) as node, asyncio.timeout(DEADLINE):
            return await send(node.port, None, GET)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert len(runner.run(call())) == 1
    assert "no connection can be taken: [Errno 24] Too many open files" in caplog.messages
