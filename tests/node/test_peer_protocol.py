"""One connection to a running server: what is taken for a request, and how long and how much may come of it."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from shared.transport.peer_protocol import PeerProtocol
from shared.transport.server import make_server
from shared.transport.tls import TlsTrust
from tests.equipment.deadline import DEADLINE
from tests.node.certificates import Authority, Identity
from tests.node.loopback import (
    GET,
    POST,
    Run,
    Witness,
    Written,
    caller,
    exchange,
    read_answer,
    send,
    talk_until_dropped,
)


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


def test_a_connection_that_says_nothing_is_dropped(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority
):
    assert run(talk_until_dropped(witness, caller(lsp, authority), tls=trust.server, keep_alive=0)) == b""
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


CHUNKED = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"


def test_trailers_are_no_headers(run: Run, witness: Witness):
    run(exchange(witness, None, None, CHUNKED + b"0\r\nx-trailer: 1\r\n\r\n", GET))
    assert witness.bodies == [b"hello", b""]
    assert [[name for name, _ in scope["headers"]] for scope in witness.scopes] == [
        [b"host", b"transfer-encoding"],
        [b"host"],
    ]


@pytest.mark.parametrize(
    "framing",
    [b"0\r\n" + b"x: yyyyyyyyyyyy\r\n" * 200, b"0\r\nx: " + b"y" * 3_000, b"1;x=" + b"y" * 3_000, b"1\r\nz\r\n" * 500],
    ids=["trailers", "one trailer", "chunk extension", "chunk marks"],
)
def test_a_request_whose_framing_has_no_end_is_refused(
    run: Run, witness: Witness, framing: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(PeerProtocol, "max_request_size", 2_000)
    answer = run(talk_until_dropped(witness, None, CHUNKED, framing, tls=None))
    assert answer == b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert witness.bodies == []


async def answers_at_once(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def answers_before_the_end(*rest: bytes) -> list[bytes]:
    """Send a request whose head alone is answered, then the rest of it; what is said to each."""
    async with make_server(answers_at_once, host="127.0.0.1", port=0, tls=None) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        said = []
        for piece in (CHUNKED, *rest):
            writer.write(piece)
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                said.append(await read_answer(reader))
        writer.close()
        return said


def test_a_body_that_is_answered_before_its_end_is_passed_over_whatever_its_size(
    run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(PeerProtocol, "max_request_size", 2_000)
    [first, second] = run(answers_before_the_end(b"186a0\r\n" + b"z" * 100_000 + b"\r\n0\r\n\r\n" + GET))
    assert first == second
    assert first.startswith(b"HTTP/1.1 413 ")


def test_framing_without_end_is_dropped_without_a_second_answer(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(PeerProtocol, "max_request_size", 2_000)
    assert len(run(answers_before_the_end(b"0\r\nx: " + b"y" * 3_000))) == 1


async def says_last(app: Any, last: bytes, *requests: bytes) -> bytes:
    """Send requests and read their answers, then send `last`; what is said to that before the connection ends."""
    async with (
        make_server(app, host="127.0.0.1", port=0, tls=None, keep_alive=1) as node,
        asyncio.timeout(DEADLINE),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        for request in requests:
            writer.write(request)
            await read_answer(reader)
        writer.write(last)
        said = await reader.read()
        writer.close()
        return said


@pytest.mark.parametrize("requests", [(), (GET,)], ids=["before a request", "after a request"])
def test_an_empty_line_does_not_keep_a_connection_open(run: Run, witness: Witness, requests: tuple[bytes, ...]):
    assert run(says_last(witness, b"\r\n", *requests)) == b""
    assert len(witness.scopes) == len(requests)


def test_empty_lines_again_and_again_do_not_keep_a_connection_open(run: Run, witness: Witness):
    async def until_closed() -> float:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None, keep_alive=1) as node:
            protocol = node._protocol()
            protocol.connection_made(Written())
            first = protocol.timeout_keep_alive_task.when()
            protocol.data_received(b"\r\n")
            last = protocol.timeout_keep_alive_task.when()
            protocol.connection_lost(None)
            return last - first

    assert run(until_closed()) == 0


def test_the_late_rest_of_a_request_that_was_answered_does_not_keep_its_connection_open(run: Run):
    assert run(says_last(answers_at_once, b"0\r\n\r\n", CHUNKED)) == b""


UPGRADE = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
UPGRADED_POST = POST.replace(b"host:", UPGRADE + b"host:")


def test_a_request_for_another_protocol_is_passed_over(run: Run, witness: Witness):
    chunked = CHUNKED.replace(b"host:", UPGRADE + b"host:") + b"0\r\n\r\n"
    answers = run(
        exchange(witness, None, None, UPGRADED_POST, chunked, GET.replace(b"host:", UPGRADE + b"host:"), POST)
    )
    assert {answer[-4:] for answer in answers} == {b"seen"}
    assert witness.bodies == [b"hello", b"hello", b"", b"hello"]
    names = [name for name, _ in witness.scopes[0]["headers"]]
    assert names == [b"connection", b"http2-settings", b"host", b"content-length"]


@pytest.mark.parametrize("cut", [20, 60, -7, -3])
def test_a_request_for_another_protocol_may_come_in_pieces_and_many_at_once(run: Run, witness: Witness, cut: int):
    async def send_in_pieces() -> list[bytes]:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None) as node, asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
            writer.write(GET + UPGRADED_POST + UPGRADED_POST[:cut])
            answers = [await read_answer(reader) for _ in range(2)]
            writer.write(UPGRADED_POST[cut:] + GET)
            answers += [await read_answer(reader) for _ in range(2)]
            writer.close()
            return answers

    run(send_in_pieces())
    assert witness.bodies == [b"", b"hello", b"hello", b""]


def test_a_request_for_a_tunnel_is_refused(run: Run, witness: Witness):
    answer = run(talk_until_dropped(witness, None, b"CONNECT localhost:80 HTTP/1.1\r\nhost: a\r\n\r\n", tls=None))
    assert answer == b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert witness.scopes == []


def test_requests_that_come_at_once_are_counted_each_by_itself(
    run: Run, witness: Witness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(PeerProtocol, "max_head_size", 100)
    monkeypatch.setattr(PeerProtocol, "max_request_size", 150)

    async def send_in_pieces() -> None:
        async with make_server(witness, host="127.0.0.1", port=0, tls=None) as node, asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
            for piece in (GET * 5 + POST[:20], POST[20:] + POST[:-2], POST[-2:]):
                writer.write(piece)
                await read_answer(reader)
            for _ in range(4):
                await read_answer(reader)
            writer.close()

    run(send_in_pieces())
    assert witness.bodies == [b""] * 5 + [b"hello"] * 2


def test_only_so_many_requests_may_wait_for_the_answer_to_another(
    run: Run, witness: Witness, trust: TlsTrust, lsp: Identity, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(PeerProtocol, "max_waiting", 3)
    assert run(talk_until_dropped(witness, caller(lsp, authority), GET * 5, tls=trust.server)) == b""
    assert len(witness.scopes) <= 1
