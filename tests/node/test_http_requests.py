"""Which HTTP requests a server takes for one, over one connection: hosts, methods, expectations, size of the head."""

import asyncio
import socket
import struct
from pathlib import Path

import pytest

from shared.transport.peer_protocol import PeerProtocol
from shared.transport.server import make_server
from shared.transport.tls import TlsTrust
from tests.equipment.asgi import Answer
from tests.equipment.lender_node import lender_node, signed
from tests.equipment.messages import TRIGGER
from tests.equipment.parties import lender_key
from tests.equipment.storage import contents
from tests.node.certificates import Authority, Identity
from tests.node.loopback import GET, POST, Run, Witness, Written, caller, exchange, talk_until_dropped

EMPTY_400 = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
HOST = b"host: localhost\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        GET.replace(HOST, b""),
        GET.replace(HOST, HOST * 2),
        GET.replace(HOST, HOST + b"Host: other\r\n"),
        GET.replace(b"1.1", b"1.0").replace(HOST, HOST * 2),
        b"CONNECT /path HTTP/1.1\r\nhost: a\r\n\r\n" + GET,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"F(O /path HTTP/1.1\r\nhost: a\r\n\r\n",
        b"FOO /path HTTP/1.1\r\n\r\n",
    ],
    ids=[
        "no host",
        "twice",
        "two",
        "two in HTTP/1.0",
        "a tunnel",
        "HTTP/2",
        "method is no token",
        "method and no host",
    ],
)
def test_what_is_no_request_is_answered_without_a_body_and_without_a_traceback(
    run: Run, witness: Witness, request_: bytes, caplog: pytest.LogCaptureFixture
):
    assert run(talk_until_dropped(witness, None, request_, tls=None)) == EMPTY_400
    assert witness.scopes == []
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]


def test_http_1_0_needs_no_host(run: Run, witness: Witness):
    assert b"200 OK" in run(talk_until_dropped(witness, None, b"GET / HTTP/1.0\r\n\r\n", tls=None))


@pytest.mark.parametrize("method", [b"FOO", b"get", b"GETX", b"DESCRIBE", b"X-Y!"])
def test_a_request_with_an_unknown_method_reaches_the_application_whole(run: Run, witness: Witness, method: bytes):
    run(exchange(witness, None, None, GET, method + POST.removeprefix(b"POST"), POST))
    assert [scope["method"] for scope in witness.scopes] == ["GET", method.decode(), "POST"]
    assert witness.bodies == [b"", b"hello", b"hello"]


HEAD = f" {TRIGGER.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n".encode()
UNKNOWN = HEAD.replace(TRIGGER.path.encode(), b"/v3/nowhere")
EXPECT = b"expect: 100-continue\r\ncontent-length: "


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"FOO" + HEAD + b"content-length: 0\r\n\r\n", 405, "GEN5003"),
        (b"PUT" + HEAD + EXPECT + b"5\r\n\r\n", 405, "GEN5003"),
        (b"POST" + UNKNOWN + EXPECT + b"5\r\n\r\n", 404, "GEN5012"),
        (b"POST" + HEAD + EXPECT + b"1048577\r\n\r\n", 413, "GEN5014"),
    ],
    ids=["unknown method", "another method", "unknown path", "declared too large"],
)
def test_what_the_head_alone_refuses_is_refused_at_once_signed_and_changes_nothing(
    run: Run,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    tmp_path: Path,
    head: bytes,
    status: int,
    code: str,
):
    async def ask() -> tuple[bytes, bytes]:
        async with (
            lender_node(tmp_path) as lender,
            make_server(lender.plane, host="127.0.0.1", port=0, tls=trust.server) as node,
            asyncio.timeout(60),
        ):
            before = contents(lender.node.engine)
            tls = caller(lsp, authority)
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=tls, server_hostname="localhost")
            writer.write(head)  # and not the body, for which the server would have to ask
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b"expect" in head:
                assert await reader.read() == b""  # for a body that came late must not pass for a request
            writer.close()
            after = contents(lender.node.engine)
            assert after | {"refusals": []} == before | {"refusals": []}
            return answer, body

    answer, body = run(ask())
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (b"connection: close" in answer) == (b"expect" in head)
    assert Answer(status, {}, body).ack(lender_key().public())["error"] == code


def test_who_waits_for_our_word_before_a_body_that_is_wanted_gets_it(
    run: Run, trust: TlsTrust, lsp: Identity, authority: Authority, tmp_path: Path
):
    body = signed()

    async def ask() -> bytes:
        async with (
            lender_node(tmp_path) as lender,
            make_server(lender.plane, host="127.0.0.1", port=0, tls=trust.server) as node,
            asyncio.timeout(60),
        ):
            tls = caller(lsp, authority)
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=tls, server_hostname="localhost")
            writer.write(b"POST" + HEAD + EXPECT + b"%d\r\n\r\n" % len(body))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return answer

    assert b"connection: keep-alive" in run(ask())


def test_a_caller_that_resets_right_after_its_request_reaches_nobody(
    run: Run, witness: Witness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def reset() -> None:
        lost = asyncio.Event()
        connection_lost = PeerProtocol.connection_lost

        def tell(protocol: PeerProtocol, error: Exception | None) -> None:
            connection_lost(protocol, error)
            lost.set()

        monkeypatch.setattr(PeerProtocol, "connection_lost", tell)
        async with make_server(witness, host="127.0.0.1", port=0, tls=None) as node, asyncio.timeout(20):
            with socket.create_connection(("127.0.0.1", node.port)) as caller:
                caller.sendall(GET)
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # to close is to reset
            await lost.wait()

    run(reset())
    assert witness.scopes == []
    assert caplog.records == []


LARGE = [
    GET.removesuffix(b"\r\n") + b"x: " + b"y" * 160_000 + b"\r\n\r\n",
    GET.removesuffix(b"\r\n") + b"x: y\r\n" * 16_000 + b"\r\n",
    GET.replace(b"/v3/heartbeat", b"/" + b"y" * 66_000),
    GET.removesuffix(b"\r\n") + b"x: y\r\n" * 200 + b"\r\n",
]


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("request_", LARGE, ids=["one header", "many headers", "request line", "201 fields"])
def test_a_head_of_more_than_64_kib_or_200_fields_is_refused_however_it_arrives(
    run: Run, witness: Witness, request_: bytes, pieces: int
):
    async def feed() -> list[bytes]:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None) as node:
            protocol = node._protocol()
            transport = Written()
            protocol.connection_made(transport)
            half = len(request_) // pieces
            for piece in (request_[:half], request_[half:]):
                if not transport.closed:
                    protocol.data_received(piece)
            protocol.connection_lost(None)
            return transport.written

    assert PeerProtocol.max_head_size == 65_536
    assert run(feed()) == [EMPTY_400]
    assert witness.scopes == []
