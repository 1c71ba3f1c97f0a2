"""Reading a request off an ASGI scope: headers as text, and the body as bytes that nobody has interpreted yet."""

from collections.abc import Sequence

from starlette.types import Message, Receive, Scope

from shared.ip_addresses import Network
from shared.protocol.phases import MAX_BODY_BYTES, Opened, Peer, WireMessage
from shared.transport.peer_protocol import PEER_EXTENSION
from shared.transport.source_address import source_address


def read_head(scope: Scope, proxies: Sequence[Network] = ()) -> WireMessage:
    """Read the head of a request; of a header that is there several times the values are joined (RFC 9110 s5.3).

    `proxies` are the networks of our own reverse proxies: see `source_address`.
    """
    values: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    headers = {name: ", ".join(given) for name, given in values.items()}
    address = source_address(scope["client"][0], scope["headers"], proxies)
    peer = Peer(scope["extensions"][PEER_EXTENSION].thumbprint, address)
    return WireMessage(scope["method"], scope["path"], headers, b"", peer)


async def read_body(receive: Receive) -> bytes | None:
    """Read a body, and no further than the piece that passes what is accepted; None if the client disconnects."""
    pieces: list[bytes] = []
    size = 0
    while True:
        event: Message = await receive()
        if event["type"] != "http.request":
            return None
        pieces.append(bytes(event.get("body", b"")))
        size += len(pieces[-1])
        if size > MAX_BODY_BYTES or not event.get("more_body", False):
            return b"".join(pieces)


async def read_wanted_body(receive: Receive, message: Opened) -> bytes | None:
    """Read a body like `read_body`, but none that the head alone rules out.

    A caller may wait for our word before it sends the body (Expect: 100-continue, RFC 9110 s10.1.1). It gets the answer
    at once where the head alone tells that the message is refused.
    """
    headers, expected = message.wire.headers, message.message_type
    is_taken = expected is not None and message.wire.method == expected.method
    is_refused = not is_taken or message.declared_size > MAX_BODY_BYTES
    if is_refused and headers.get("expect", "").lower() == "100-continue":
        return b""
    return await read_body(receive)
