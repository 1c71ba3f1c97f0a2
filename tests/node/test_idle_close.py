"""How an idle connection ends, and what an answer says of that beforehand."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from shared.transport.peer_protocol import PeerProtocol
from shared.transport.server import make_server
from shared.transport.tls import TlsTrust
from tests.equipment.java import JAVA
from tests.node.certificates import Authority, Identity
from tests.node.loopback import GET, TLS12, TLS13, Run, Witness, caller, exchange

CLIENT = Path(__file__).with_name("IdleClient.java")
PASSWORD = "of the tests"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PeerProtocol]]:
    """The connections of the server, in their order."""
    connections: list[PeerProtocol] = []
    connection_made = PeerProtocol.connection_made

    def keep(connection: PeerProtocol, transport: asyncio.Transport) -> None:
        connections.append(connection)
        connection_made(connection, transport)

    monkeypatch.setattr(PeerProtocol, "connection_made", keep)
    yield connections
    connections.clear()


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])
def test_the_end_of_tls_and_the_end_of_tcp_leave_together(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    version: ssl.TLSVersion,
    opened: list[PeerProtocol],
):
    def ask(port: int) -> tuple[ssl.SSLSocket, socket.socket]:
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        tcp = plain.dup()
        tcp.settimeout(20)
        tls = caller(lsp, authority, version).wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        )
        tls.sendall(GET)
        answer = b""
        while not answer.endswith(b"seen"):
            answer += tls.recv(4096)
        return tls, tcp

    async def idle() -> tuple[bytes, bytes]:
        async with make_server(witness, host="127.0.0.1", port=0, tls=trust.server, keep_alive=600) as node:
            tls, tcp = await asyncio.to_thread(ask, node.port)
            with tls, tcp:
                opened[0].timeout_keep_alive_handler()
                # A TLS end that lacks its close_notify would raise SSLEOFError here.
                return await asyncio.to_thread(tls.recv, 1), await asyncio.to_thread(tcp.recv, 1)

    assert run(idle()) == (b"", b"")


class Relay:
    """Passes bytes between a client and a server, and knows when the client has closed its first connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.client_has_closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(server_reader, writer))
            await _copy(reader, server_writer)
            self.client_has_closed.set()
        server_writer.close()
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.write_eof()


def key_store(own: Identity, folder: Path) -> Path:
    key = serialization.load_pem_private_key(own.private_key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(own.certificate.read_bytes())
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    store: Any = pkcs12.serialize_key_and_certificates(b"own", key, certificate, None, encryption)  # type: ignore[arg-type]
    (folder / "own.p12").write_bytes(store)
    return folder / "own.p12"


@pytest.mark.skipif(shutil.which("javac") is None, reason="no JDK is installed here (java and javac)")
def test_javas_client_posts_again_after_the_connection_has_been_idle(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    tmp_path: Path,
    opened: list[PeerProtocol],
):
    (tmp_path / "ca.pem").write_text(authority.pem)
    store = key_store(lsp, tmp_path)

    async def post_twice() -> list[bytes]:
        async with make_server(witness, host="127.0.0.1", port=0, tls=trust.server, keep_alive=600) as node:
            relay = Relay(node.port)
            async with await asyncio.start_server(relay.serve, "127.0.0.1", 0) as listening, asyncio.timeout(120):
                url = f"https://localhost:{listening.sockets[0].getsockname()[1]}/v3/requests"
                command = (*JAVA, CLIENT, url, store, PASSWORD, tmp_path / "ca.pem")
                pipe = asyncio.subprocess.PIPE
                java = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
                assert java.stdin is not None
                assert java.stdout is not None
                try:
                    java.stdin.write(b"first\n")
                    first = await java.stdout.readline()
                    opened[0].timeout_keep_alive_handler()
                    async with asyncio.timeout(20):
                        await relay.client_has_closed.wait()
                    rest, _ = await java.communicate(b"second\n")
                finally:
                    with suppress(ProcessLookupError):
                        java.kill()
                    await java.wait()
                return [first, rest]

    assert run(post_twice()) == [b"200\n", b"200\n"]
    assert witness.bodies == [b"first", b"second"]


CLOSE = GET.removesuffix(b"\r\n") + b"connection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "keep_alive", "announced"),
    [
        (GET, 30, [b"connection: keep-alive", b"keep-alive: timeout=25"]),
        (GET, 5, []),
        (CLOSE, 30, [b"connection: close"]),
        (GET.replace(b"HTTP/1.1", b"HTTP/1.0"), 30, [b"connection: close"]),
    ],
    ids=["stays open", "only for a moment", "the client ends it", "HTTP/1.0"],
)
def test_an_answer_announces_for_how_long_its_connection_may_be_idle(
    run: Run, witness: Witness, request_: bytes, keep_alive: int, announced: list[bytes]
):
    async def ask() -> bytes:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None, keep_alive=keep_alive) as node:
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
            writer.write(request_)
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return head

    fields = run(ask()).split(b"\r\n")[1:-2]
    assert fields == [b"content-length: 4", *announced]


def test_an_answer_that_ends_its_connection_announces_nothing(run: Run):
    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body"})

    [answer] = run(exchange(refuses, None, None, GET))
    assert b"keep-alive" not in answer
