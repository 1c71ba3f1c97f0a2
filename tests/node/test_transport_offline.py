"""The pooled transport without a network: what it refuses to send, and how it keeps idle connections."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.transport.transport import PooledTransport, _Origin
from tests.node.memory_transport import connect

URL = "https://localhost/v3/LoanRequest"


async def parts() -> AsyncIterator[bytes]:
    yield b"part"


def never() -> ssl.SSLContext:
    pytest.fail("a connection was about to be opened")


@pytest.mark.parametrize(
    ("request_", "error", "reason"),
    [
        (httpx.Request("POST", "http://localhost/"), httpx.UnsupportedProtocol, "https:// only"),
        (httpx.Request("POST", "ftp://localhost/"), httpx.UnsupportedProtocol, "https:// only"),
        (httpx.Request("POST", URL, headers={"X-Name": "a\r\nX-Other: b"}), httpx.LocalProtocolError, "line break"),
        (httpx.Request("POST", URL, headers={"X-Name": "a\nX-Other: b"}), httpx.LocalProtocolError, "line break"),
        (httpx.Request("POST / HTTP/1.1\r\nX-Other:", URL), httpx.LocalProtocolError, "line break"),
        (httpx.Request("POST", URL, headers={"Transfer-Encoding": "chunked"}), httpx.LocalProtocolError, "as bytes"),
        (httpx.Request("POST", URL, content=parts()), httpx.LocalProtocolError, "as bytes"),
    ],
)
async def test_a_request_that_is_not_one_plain_message_over_https_is_refused(
    request_: httpx.Request, error: type[httpx.TransportError], reason: str
) -> None:
    async with PooledTransport(never) as transport:
        with pytest.raises(error, match=reason):
            await transport.handle_async_request(request_)


async def test_the_connection_used_last_is_used_next_and_a_closed_one_never() -> None:
    origin = _Origin(3, idle_seconds=30.0)
    connections = [connect()[0] for _ in range(3)]
    for connection in connections:
        origin.keep(connection)
    connections[1].eof_received()
    assert [origin.take(None) for _ in range(3)] == [connections[2], connections[0], None]


async def test_idle_connections_are_closed_in_good_order_each_at_its_own_time() -> None:
    origin = _Origin(2, idle_seconds=0.0)
    (first, first_end), (second, second_end) = connect(), connect()
    origin.keep(first)
    origin.keep(second)
    second.idle_since += 0.01
    await first_end.ended.wait()
    assert second_end.end == ""
    await second_end.ended.wait()
    assert (first_end.end, second_end.end) == ("closed", "closed")
    assert origin.take(None) is None
