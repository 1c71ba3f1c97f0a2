"""How responses are read, however they are cut into pieces, and which are refused."""

import asyncio
import ssl
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.transport.connection import Connection
from tests.node.memory_transport import connect

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\nSignature: forged\r\n\r\n"
PLAIN = b"HTTP/1.1 409 Conflict\r\nX-Trace: one\r\nx-trace: two\r\ncontent-length: 3\r\n\r\nabc"


async def ask(connection: Connection, *pieces: bytes, method: str = "POST", ends: bool = False) -> httpx.Response:
    """One exchange in which the peer sends these pieces, and then closes if it `ends`."""
    task = asyncio.create_task(connection.exchange(b"request", head_only=method == "HEAD", seconds=None))
    for piece in pieces:
        asyncio.get_running_loop().call_soon(connection.data_received, piece)
    if ends:
        asyncio.get_running_loop().call_soon(connection.connection_lost, None)
    return await task


async def test_a_request_is_one_write_and_its_response_comes_read() -> None:
    connection, transport = connect()
    response = await ask(connection, PLAIN)
    assert transport.written == [b"request"]
    assert (response.status_code, response.content, response.text) == (409, b"abc", "abc")
    assert response.headers.raw == [(b"X-Trace", b"one"), (b"x-trace", b"two"), (b"content-length", b"3")]
    assert response.extensions == {"http_version": b"HTTP/1.1", "tls_peer_certificate": b"DER"}
    assert not connection.is_closed


@given(st.sampled_from([PLAIN, CHUNKED]), st.lists(st.integers(0, 110)))
async def test_a_response_reads_the_same_in_whatever_pieces_it_comes(wire: bytes, cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(wire)]
    connection, _ = connect()
    response = await ask(connection, *(wire[a:b] for a, b in pairwise(ends)))
    whole = await ask(connect()[0], wire)
    assert (response.status_code, response.headers.raw, response.content) == (
        whole.status_code,
        whole.headers.raw,
        whole.content,
    )
    assert (await ask(connection, PLAIN)).content == b"abc"


@given(st.lists(st.binary(max_size=40)))
async def test_bytes_of_any_kind_end_in_a_response_or_a_transport_error(pieces: list[bytes]) -> None:
    connection, _ = connect(limit=200)
    try:
        await ask(connection, *pieces, ends=True)
    except httpx.TransportError:
        assert connection.is_closed


async def test_a_trailer_is_not_taken_for_a_header() -> None:
    response = await ask(connect()[0], CHUNKED)
    assert response.content == b"abcdef"
    assert "signature" not in response.headers


@pytest.mark.parametrize(
    "head", [b"204 No Content", b"304 Not Modified\r\ncontent-length: 5", b"200 OK\r\ncontent-length: 0"]
)
async def test_a_response_without_a_body_leaves_the_connection_usable(head: bytes) -> None:
    connection, _ = connect()
    response = await ask(connection, b"HTTP/1.1 " + head + b"\r\n\r\n")
    assert response.content == b""
    assert (await ask(connection, PLAIN)).content == b"abc"


async def test_a_response_to_head_ends_with_its_head() -> None:
    connection, transport = connect()
    response = await ask(connection, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", method="HEAD")
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "5")
    assert transport.end == "closed"


async def test_interim_responses_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    for method in ("POST", "HEAD"):
        response = await ask(connect()[0], interim + PLAIN, method=method)
        assert response.status_code == 409
        assert "link" not in response.headers


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n"])
async def test_a_connection_that_the_peer_will_close_is_closed_here_too(answer: bytes) -> None:
    connection, transport = connect()
    response = await ask(connection, answer + b"content-length: 2\r\n\r\nok")
    assert response.content == b"ok"
    assert connection.is_closed
    assert transport.end == "closed"


async def test_a_body_without_framing_ends_with_the_connection() -> None:
    response = await ask(connect()[0], b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\nsorry", ends=True)
    assert (response.status_code, response.content) == (502, b"sorry")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", "not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", "Accept-Encoding: identity"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000, "exceeds 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"a" * 1000, "exceeds 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 200, "exceeds 1000 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "exceeds 1000 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "amid the response"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "amid the response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "amid the response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "amid the response"),
    ],
)
async def test_a_response_that_cannot_be_trusted_to_be_whole_is_refused(answer: bytes, reason: str) -> None:
    connection, transport = connect()
    with pytest.raises(httpx.RemoteProtocolError, match=reason):
        await ask(connection, answer, ends=True)
    assert connection.is_closed
    assert transport.end == "aborted"


@pytest.mark.parametrize("together", [True, False])
async def test_a_response_nobody_asked_for_is_never_taken_for_the_next_one(together: bool) -> None:
    connection, transport = connect()
    response = await ask(connection, PLAIN + CHUNKED if together else PLAIN)
    if not together:
        connection.data_received(CHUNKED)
    assert response.content == b"abc"
    assert transport.end == "aborted"
    with pytest.raises(httpx.ConnectError):
        await ask(connection, PLAIN)
    assert transport.written == [b"request"]


async def test_an_alert_after_the_handshake_is_a_connect_error_on_the_first_request_only() -> None:
    alert = ssl.SSLError(1, "[SSL] tlsv13 alert certificate required")
    for answers, error in ((0, httpx.ConnectError), (1, httpx.ReadError)):
        connection, _ = connect()
        for _ in range(answers):
            await ask(connection, PLAIN)
        asyncio.get_running_loop().call_soon(connection.connection_lost, alert)
        with pytest.raises(error, match="certificate required"):
            await connection.exchange(b"request", head_only=False, seconds=None)


async def test_an_end_without_a_response_is_not_taken_for_the_end_of_the_response_before() -> None:
    connection, _ = connect()
    await ask(connection, b"HTTP/1.1 204 No Content\r\n\r\n")
    with pytest.raises(httpx.ReadError, match="before the response"):
        await ask(connection, ends=True)


async def test_nothing_is_written_to_a_connection_that_the_peer_is_closing() -> None:
    connection, transport = connect()
    connection.eof_received()
    with pytest.raises(httpx.ConnectError, match="before the request was written"):
        await ask(connection, PLAIN)
    assert transport.written == []
