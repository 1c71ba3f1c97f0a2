"""The connections of one certificate beyond their limit: a few are told so by a signed answer, the rest are dropped."""

import asyncio
import ssl
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from shared.ip_addresses import Network
from shared.protocol.problems import Problem
from shared.transport.certificate_connections import OVER_LIMIT_EXTENSION, CertificateConnections
from shared.transport.peer_protocol import PEER_EXTENSION, PeerProtocol
from shared.transport.server import NodeServer, make_server
from shared.transport.tls import TlsTrust, thumbprint
from tests.equipment.asgi import Answer
from tests.equipment.lender_node import lender_node, signed
from tests.equipment.messages import TRIGGER
from tests.equipment.parties import lender_key
from tests.equipment.storage import contents
from tests.node.certificates import Authority, Identity
from tests.node.loopback import GET, Run, Witness, caller, read_answer

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def client(lsp: Identity, authority: Authority) -> ssl.SSLContext:
    return caller(lsp, authority)


def limited_server(app: Any, trust: TlsTrust, maximum: int) -> NodeServer:
    return make_server(app, host="127.0.0.1", port=0, tls=trust.server, connections_per_certificate=maximum)


async def connect(node: NodeServer, tls: ssl.SSLContext) -> Ends:
    return await asyncio.open_connection("127.0.0.1", node.port, ssl=tls, server_hostname="localhost")


async def ask(ends: Ends, request: bytes = GET) -> bytes:
    """The answer to a request over a connection; empty if that has been dropped."""
    reader, writer = ends
    try:
        writer.write(request)
        return await read_answer(reader)
    except (ConnectionError, asyncio.IncompleteReadError):
        return b""


def test_one_peer_is_served_over_so_many_connections_told_so_over_a_few_more_and_keeps_nobody_else_out(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    client: ssl.SSLContext,
    lsp: Identity,
    lender: Identity,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(CertificateConnections, "max_refused", 1)

    async def ask_over_all() -> tuple[list[bytes], bytes]:
        async with limited_server(witness, trust, 2) as node, asyncio.timeout(20):
            held = [await connect(node, client) for _ in range(4)]
            held.append(await connect(node, caller(lender, authority)))
            answers = [await ask(ends) for ends in held]
            after_refusal = await held[2][0].read()
            for _, writer in held:
                writer.close()
            return answers, after_refusal

    answers, after_refusal = run(ask_over_all())
    served, refused = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n", b"connection: close\r\n"
    assert [answer[: len(served)] == served for answer in answers] == [True, True, True, False, True]
    assert [refused in answer for answer in answers] == [False, False, True, False, False]
    assert (answers[3], after_refusal) == (b"", b"")
    shown = [scope["extensions"][PEER_EXTENSION].thumbprint for scope in witness.scopes]
    assert shown == [thumbprint(own.der) for own in (lsp, lsp, lsp, lender)]
    over_limit = [scope["extensions"].get(OVER_LIMIT_EXTENSION, False) for scope in witness.scopes]
    assert over_limit == [False, False, True, False]


def test_a_connection_that_ends_makes_room_for_another(
    run: Run, witness: Witness, trust: TlsTrust, client: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
):
    lost = asyncio.Semaphore(0)
    connection_lost = PeerProtocol.connection_lost

    def tell(protocol: PeerProtocol, error: Exception | None) -> None:
        connection_lost(protocol, error)
        lost.release()

    monkeypatch.setattr(PeerProtocol, "connection_lost", tell)

    async def one_after_another() -> list[bytes]:
        async with limited_server(witness, trust, 1) as node, asyncio.timeout(20):
            answers = []
            for _ in range(3):
                ends = await connect(node, client)
                answers.append(await ask(ends))
                ends[1].close()
                await lost.acquire()
            assert node.of_certificates.served == node.of_certificates.refused == {}
            return answers

    assert [b"connection: close" in answer for answer in run(one_after_another())] == [False] * 3


def test_connections_without_a_certificate_count_by_their_source_where_none_is_demanded(
    run: Run, witness: Witness, lender: Identity, authority: Authority
):
    optional = TlsTrust(lender.certificate, lender.private_key, authority.pem, demands_certificate=False)
    anonymous = ssl.create_default_context(cadata=authority.pem)

    async def ask_over_two(*unlimited: Network) -> list[bytes]:
        async with make_server(
            witness,
            host="127.0.0.1",
            port=0,
            tls=optional.server,
            connections_per_certificate=1,
            unlimited_sources=unlimited,
        ) as node:
            held = [await connect(node, anonymous) for _ in range(2)]
            answers = [await ask(ends) for ends in held]
            for _, writer in held:
                writer.close()
            return answers

    assert [b"connection: close" in answer for answer in run(ask_over_two())] == [False, True]
    exempt = run(ask_over_two(ip_network("127.0.0.1/32")))
    assert [b"connection: close" in answer for answer in exempt] == [False, False]


def test_a_connection_beyond_the_limit_that_asks_nothing_is_dropped(
    run: Run, witness: Witness, trust: TlsTrust, client: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(CertificateConnections, "refusal_seconds", 0.05)

    async def ask_nothing() -> bytes:
        async with limited_server(witness, trust, 0) as node, asyncio.timeout(20):
            reader, writer = await connect(node, client)
            try:
                return await reader.read()
            except ConnectionError:
                return b""
            finally:
                writer.close()

    assert run(ask_nothing()) == b""
    assert witness.scopes == []


def test_a_message_over_a_connection_beyond_the_limit_is_answered_by_a_signed_503_and_changes_nothing(
    run: Run, trust: TlsTrust, client: ssl.SSLContext, tmp_path: Path
):
    body = signed()
    head = f"POST {TRIGGER.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    async def post() -> bytes:
        async with lender_node(tmp_path) as lender, limited_server(lender.plane, trust, 0) as node:
            before = contents(lender.node.engine)
            ends = await connect(node, client)
            answer = await ask(ends, request)
            assert await ends[0].read() == b""
            ends[1].close()
            assert contents(lender.node.engine) == before
            return answer

    head_of_answer, _, ack = run(post()).partition(b"\r\n\r\n")
    status, *fields = head_of_answer.decode().split("\r\n")
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert {"retry-after: 5", "connection: close"} <= set(fields)
    payload = Answer(503, {}, ack).ack(lender_key().public())
    assert (payload["error"], payload["traceId"]) == (Problem.UNAVAILABLE.code, "trace-1")
