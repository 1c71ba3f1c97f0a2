"""One connection to a running server: what is taken for a request, and how long and how much may come of it."""

import pytest

from shared.node.net.peer_protocol import PeerProtocol
from shared.node.net.server import make_server
from shared.node.net.tls import TlsTrust
from tests.node.certificates import Authority, Identity
from tests.node.loopback import GET, POST, Run, Witness, caller, exchange, send, talk_until_dropped


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_without_a_body(run: Run, witness: Witness, junk: bytes):
    [answer] = run(exchange(witness, None, None, junk))
    assert answer == b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert witness.bodies == []


@pytest.mark.parametrize("incomplete", [b"GET / HT", POST[:30], POST[:-1]], ids=["line", "headers", "body"])
def test_a_request_that_does_not_get_finished_is_dropped(
    run: Run,
    witness: Witness,
    trust: TlsTrust,
    lsp: Identity,
    authority: Authority,
    incomplete: bytes,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(PeerProtocol, "read_timeout", 0.01)
    client = caller(lsp, authority)
    assert run(talk_until_dropped(witness, client, incomplete, tls=trust.server)) == b""
    assert witness.bodies == []


def test_a_connection_that_says_nothing_is_dropped(run: Run, witness: Witness):
    assert run(talk_until_dropped(witness, None, tls=None, keep_alive=0)) == b""
    assert witness.scopes == []


def test_headers_without_end_are_refused(run: Run, witness: Witness, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(PeerProtocol, "max_head_size", 1_000)
    pieces = [b"GET / HTTP/1.1\r\n", b"x: " + b"y" * 600 + b"\r\n", b"x: " + b"y" * 600 + b"\r\n"]
    answer = run(talk_until_dropped(witness, None, *pieces, tls=None))
    assert answer == b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert witness.scopes == []


def test_a_request_in_pieces_is_taken_and_its_deadline_lifted(
    run: Run, witness: Witness, monkeypatch: pytest.MonkeyPatch
):
    body = b"z" * 300_000
    large = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 300000\r\n\r\n" + body

    async def send_in_pieces() -> None:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None) as node:
            await send(node.port, None, large, GET, large)

    monkeypatch.setattr(PeerProtocol, "max_head_size", 100_000)
    run(send_in_pieces())
    assert witness.bodies == [body, b"", body]
