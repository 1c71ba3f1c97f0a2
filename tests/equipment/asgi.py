"""Calling an ASGI application as the node's server does, without a server."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from shared.protocol.encoding import base64url_decode
from shared.protocol.signing import VerificationKey
from shared.transport.peer_protocol import PEER_EXTENSION
from shared.transport.tls import PeerCertificate, thumbprint
from tests.equipment.parties import LISTED_ADDRESS, LSP_CERTIFICATE

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def envelope(self) -> dict[str, str]:
        envelope: dict[str, str] = json.loads(self.body)
        return envelope

    def ack(self, key: VerificationKey, member: str = "header") -> dict[str, Any]:
        """The payload, if it is signed by the key, in an envelope with its signed header under that name."""
        assert set(self.envelope) == {"payload", member, "signature"}
        payload, header, signature = (self.envelope[name] for name in ("payload", member, "signature"))
        assert key.verify(f"{header}.{payload}".encode(), base64url_decode(signature))
        assert json.loads(base64url_decode(header))["alg"] == "RS512"
        ack: dict[str, Any] = json.loads(base64url_decode(payload))
        return ack


async def call(
    app: ASGIApp,
    path: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    headers: Mapping[str, str] = JSON,
    certificate: bytes = LSP_CERTIFICATE,
    address: str = LISTED_ADDRESS,
    pieces: Sequence[bytes] | None = None,
) -> Answer:
    """Send one request over a connection with that client certificate; `pieces` is the body as it comes in."""
    sent: list[Any] = []
    events = _events([body] if pieces is None else pieces)

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(http_scope(path, method, headers, certificate, address), receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    start, end = sent
    names = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert len(names) == len(dict(names))
    assert dict(names)["content-length"] == str(len(end["body"]))
    return Answer(start["status"], dict(names), end["body"])


def _events(pieces: Sequence[bytes]) -> Any:
    for number, piece in enumerate(pieces, 1):
        yield {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
    raise AssertionError("the body was read beyond its end")


def http_scope(
    path: str,
    method: str = "POST",
    headers: Mapping[str, str] = JSON,
    certificate: bytes = LSP_CERTIFICATE,
    address: str = LISTED_ADDRESS,
) -> dict[str, Any]:
    """The ASGI scope of one request over a connection with that client certificate."""
    peer = PeerCertificate(thumbprint(certificate), "CN=peer", certificate)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "https",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": (address, 50_000),
        "server": ("lender.example", 443),
        "extensions": {PEER_EXTENSION: peer},
    }
