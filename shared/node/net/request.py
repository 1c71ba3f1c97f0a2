"""Reading a request off an ASGI scope: nothing decoded, nothing believed."""

from collections.abc import Sequence

from starlette.types import Message, Receive, Scope

from shared.node.net.peer_protocol import PEER_EXTENSION
from shared.node.net.source_address import source_address
from shared.protocol.checks.connection import MAX_BODY_BYTES
from shared.protocol.participants import Network
from shared.protocol.verification import Peer, WireMessage


def read_head(scope: Scope, proxies: Sequence[Network] = ()) -> WireMessage:
    """Read the head of a request; of a header that is there several times the values are joined (RFC 9110 s5.3).

    `proxies` are ours: see `source_address`.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    address = source_address(scope["client"][0], scope["headers"], proxies)
    peer = Peer(scope["extensions"][PEER_EXTENSION].thumbprint, address)
    return WireMessage(scope["method"], scope["path"], headers, b"", peer)


async def read_body(receive: Receive) -> bytes | None:
    """Read a body, at most one byte more of it than is accepted; None if the peer went away."""
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
