"""The server of a node, on the event loops of asyncio and of uvloop: what an application is told, start and stop."""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

import pytest
from cryptography import x509

from shared.transport.peer_protocol import PEER_EXTENSION, PeerProtocol
from shared.transport.server import CannotListenError, make_server
from shared.transport.tls import PeerCertificate, TlsTrust, thumbprint
from tests.equipment.deadline import DEADLINE
from tests.node.certificates import Authority, Identity
from tests.node.loopback import GET, POST, TLS12, TLS13, Run, Witness, caller, exchange, send


def test_the_peer_certificate_is_in_the_scope_of_a_request(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    run(exchange(witness, trust.server, caller(lsp, authority), POST))
    [scope] = witness.scopes
    assert scope["extensions"][PEER_EXTENSION] == PeerCertificate(
        thumbprint=thumbprint(lsp.der), subject="CN=lsp.example", der=lsp.der
    )
    tls = scope["extensions"]["tls"]
    [pem] = tls.pop("client_cert_chain")
    assert x509.load_pem_x509_certificate(pem.encode()) == x509.load_der_x509_certificate(lsp.der)
    assert tls == {
        "server_cert": None,
        "client_cert_name": "CN=lsp.example",
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1302,
    }
    assert (scope["scheme"], scope["http_version"], witness.bodies) == ("https", "1.1", [b"hello"])


def test_tls_1_2_is_reported_as_such(run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority):
    client = caller(lsp, authority, TLS12)
    client.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    run(exchange(witness, trust.server, client, GET))
    tls = witness.scopes[0]["extensions"]["tls"]
    assert (tls["tls_version"], tls["cipher_suite"]) == (0x0303, 0xC02F)


def test_the_requests_of_one_connection_share_what_was_read_of_its_certificate(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    run(exchange(witness, trust.server, caller(lsp, authority), GET, POST, GET))
    first, second, third = witness.scopes
    assert first["extensions"] is second["extensions"] is third["extensions"]
    assert witness.bodies == [b"", b"hello", b""]


def test_two_connections_have_each_their_own_peer(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, lender: Identity, authority: Authority
):
    async def both() -> None:
        async with make_server(witness, host="127.0.0.1", port=0, tls=trust.server) as node:
            await send(node.port, caller(lsp, authority), GET)
            await send(node.port, caller(lender, authority), GET)

    run(both())
    seen = [scope["extensions"][PEER_EXTENSION].thumbprint for scope in witness.scopes]
    assert seen == [thumbprint(lsp.der), thumbprint(lender.der)]


def test_nothing_about_the_server_is_told_in_an_answer(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    [answer] = run(exchange(witness, trust.server, caller(lsp, authority), GET))
    connection = b"connection: keep-alive\r\nkeep-alive: timeout=25\r\n"
    assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n" + connection + b"\r\nseen"


def test_a_forwarded_address_is_not_believed(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    headers = b"x-forwarded-for: 203.0.113.7\r\nforwarded: for=203.0.113.7\r\nx-forwarded-proto: http\r\n\r\n"
    run(exchange(witness, trust.server, caller(lsp, authority), GET.removesuffix(b"\r\n") + headers))
    assert witness.scopes[0]["client"][0] == "127.0.0.1"
    assert witness.scopes[0]["scheme"] == "https"


def test_without_tls_there_is_no_peer(run: Run, witness: Witness):
    run(exchange(witness, None, None, GET))
    assert witness.scopes[0]["extensions"] == {}
    assert witness.scopes[0]["scheme"] == "http"


def test_a_port_in_use_is_an_exception_that_names_it(run: Run, witness: Witness):
    async def start_twice() -> None:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None) as first:
            second = make_server(witness, host="127.0.0.1", port=first.port, tls=None)
            with pytest.raises(CannotListenError, match=f"127.0.0.1 port {first.port}: the port is in use") as error:
                await second.start()
            assert (error.value.host, error.value.port) == ("127.0.0.1", first.port)
            await second.stop()
            assert await send(first.port, None, GET)

    run(start_twice())


def test_an_address_of_another_machine_is_an_exception_that_names_it(run: Run, witness: Witness):
    server = make_server(witness, host="203.0.113.7", port=0, tls=None)
    with pytest.raises(CannotListenError, match=r"cannot listen on 203\.0\.113\.7 port 0"):
        run(server.start())


def test_a_stopped_server_has_freed_its_port(run: Run, witness: Witness):
    async def start_stop_start() -> None:
        server = make_server(witness, host="127.0.0.1", port=0, tls=None)
        await server.start()
        await server.stop()
        await server.stop()
        with pytest.raises(ConnectionRefusedError):
            await send(server.port, None, GET)
        async with make_server(witness, host="127.0.0.1", port=server.port, tls=None) as again:
            assert again.port == server.port
            await send(again.port, None, GET)

    run(start_stop_start())
    assert len(witness.scopes) == 1


def test_a_request_that_is_being_answered_is_answered_before_the_server_stops(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    async def stop_meanwhile() -> list[bytes]:
        entered, released = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            entered.set()
            await released.wait()
            await witness(scope, receive, send)

        server = make_server(slow, host="127.0.0.1", port=0, tls=trust.server)
        await server.start()
        call = asyncio.create_task(send(server.port, caller(lsp, authority), POST))
        await entered.wait()
        stop = asyncio.create_task(server.stop())
        released.set()
        await stop
        return await call

    [answer] = run(stop_meanwhile())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"seen")


def test_what_a_request_that_is_interrupted_by_the_stop_still_says_leaves_the_server(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    async def stop_without_grace() -> list[bytes]:
        entered = asyncio.Event()

        async def endless(scope: Any, receive: Any, send: Any) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                for _ in range(20):  # what it has to tidy up takes a few passes of the loop
                    await asyncio.sleep(0)
                await witness(scope, receive, send)

        server = make_server(endless, host="127.0.0.1", port=0, tls=trust.server, grace=0)
        await server.start()
        call = asyncio.create_task(send(server.port, caller(lsp, authority), POST))
        await entered.wait()
        await server.stop()
        return await call

    [answer] = run(stop_without_grace())
    assert answer.endswith(b"seen")


def test_a_request_that_ignores_the_stop_does_not_hold_it_up(run: Run, monkeypatch: pytest.MonkeyPatch):
    async def stop_without_grace() -> None:
        entered, released = asyncio.Event(), asyncio.Event()

        async def stubborn(scope: Any, receive: Any, send: Any) -> None:
            entered.set()
            while not released.is_set():
                with suppress(asyncio.CancelledError):
                    await released.wait()

        server = make_server(stubborn, host="127.0.0.1", port=0, tls=None, grace=0)
        await server.start()
        call = asyncio.create_task(send(server.port, None, POST))
        await entered.wait()
        await asyncio.wait_for(server.stop(), timeout=DEADLINE)
        released.set()
        with pytest.raises(asyncio.IncompleteReadError):
            await call

    run(stop_without_grace())


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["tls1.2", "tls1.3"])
@pytest.mark.parametrize("requests", [0, 1])
def test_an_idle_connection_that_its_peer_does_not_close_does_not_hold_the_stop_up(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    version: ssl.TLSVersion,
    requests: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(PeerProtocol, "farewell", 0.01)

    def connect(port: int) -> ssl.SSLSocket:
        """A client that keeps its connection, and looks at it no more: nobody answers what ends it."""
        plain = socket.create_connection(("127.0.0.1", port))
        connection = caller(lsp, authority, version).wrap_socket(plain, server_hostname="localhost")
        for _ in range(requests):
            connection.sendall(GET)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        return connection

    async def stop_meanwhile() -> None:
        server = make_server(witness, host="127.0.0.1", port=0, tls=trust.server, grace=600)
        await server.start()
        with await asyncio.to_thread(connect, server.port):
            await asyncio.wait_for(server.stop(), timeout=DEADLINE)

    run(stop_meanwhile())
    assert (len(witness.scopes), "graceful" in caplog.text) == (requests, False)


def test_a_request_under_way_outlasts_what_an_idle_connection_gets(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(PeerProtocol, "farewell", 0.0)

    async def stop_meanwhile() -> list[bytes]:
        entered, is_stopping = asyncio.Event(), asyncio.Event()

        class Told(PeerProtocol):
            def shutdown(self) -> None:
                super().shutdown()
                self.loop.call_later(0.05, is_stopping.set)

        monkeypatch.setattr("shared.transport.server.PeerProtocol", Told)

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            entered.set()
            await is_stopping.wait()
            await witness(scope, receive, send)

        server = make_server(slow, host="127.0.0.1", port=0, tls=trust.server)
        await server.start()
        call = asyncio.create_task(send(server.port, caller(lsp, authority), POST))
        await entered.wait()
        await server.stop()
        return await call

    [answer] = run(stop_meanwhile())
    assert answer.endswith(b"seen")


def test_two_servers_run_in_one_process(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    async def serve_both_planes() -> None:
        async with (
            make_server(witness, host="127.0.0.1", port=0, tls=trust.server) as protocol_plane,
            make_server(witness, host="127.0.0.1", port=0, tls=None) as operator_plane,
        ):
            assert protocol_plane.port != operator_plane.port
            await send(protocol_plane.port, caller(lsp, authority), GET)
            await send(operator_plane.port, None, GET)

    run(serve_both_planes())
    assert [scope["scheme"] for scope in witness.scopes] == ["https", "http"]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_server_may_listen_on_ipv6(run: Run, witness: Witness):
    server = make_server(witness, host="::1", port=0, tls=None)
    try:
        run(server.start())
    except CannotListenError:
        pytest.skip("this machine has no IPv6 loopback")
    assert server.port > 0
    run(server.stop())
