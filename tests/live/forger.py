"""A caller with any TLS identity that sends exactly the bytes it is told, and reads the answer with other code.

The signed answers are opened by joserfc, which shares nothing with the nodes' own verification.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from shared.protocol.tampering import OutgoingMessage
from tests.equipment.deadline import DEADLINE
from tests.live.pair import Pair, Side
from tests.protocol.second_library import verified_payload, verify_detached

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came back. `ack` is the payload of a signed answer that has been verified."""

    status: int
    headers: Mapping[str, str]
    ack: dict[str, Any]

    @property
    def error(self) -> str:
        """The code in the ack, "0" for accepted."""
        return str(self.ack["error"])


class Forger:
    """Keeps one TLS connection to a node for all that it sends."""

    def __init__(self, url: str, tls: ssl.SSLContext, signer: str, source_address: str | None = None) -> None:
        """Call `url`; its answers must be signed with the key whose public half is the PEM text `signer`."""
        self._signer = signer
        self.connection: tuple[str, int] | None = None
        """Our end of the connection that carried the last answer."""
        limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
        transport = httpx.HTTPTransport(verify=tls, trust_env=False, limits=limits, local_address=source_address)
        self._http = httpx.Client(base_url=url, transport=transport, timeout=DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, message: OutgoingMessage) -> Answer:
        """Send a message as it is."""
        headers = [*message.headers.items(), *message.further_headers]
        return self._request(message.method, message.path, message.body, headers)

    def post(self, path: str, body: bytes) -> Answer:
        """Send an envelope in the usual way."""
        return self.call("POST", path, body, JSON)

    def call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request. Raises httpx.TransportError if there is no answer, joserfc's error if it is not signed."""
        return self._request(method, path, body, list(headers.items()))

    def _request(self, method: str, path: str, body: bytes, headers: list[tuple[str, str]]) -> Answer:
        with self._http.stream(method, path, content=body, headers=headers) as response:
            self.connection = response.extensions["network_stream"].get_extra_info("client_addr")
            response.read()  # after which the connection may be closed
        return Answer(response.status_code, response.headers, self._opened(response))

    def _opened(self, response: httpx.Response) -> dict[str, Any]:
        """What is signed in an answer of v3."""
        payload: dict[str, Any] = json.loads(verified_payload(json.loads(response.content), self._signer, "RS512"))
        return payload


class CallForger(Forger):
    """The same for OCEN 4.0, whose answers are signed beside their bodies."""

    def _opened(self, response: httpx.Response) -> dict[str, Any]:
        verify_detached(response.headers["signature"], response.content, self._signer, "RS256")
        ack: dict[str, Any] = json.loads(response.content)
        return ack.get("ack", ack)  # type: ignore[no-any-return]


def caller(authority: Path, certificate: Path | None, private_key: Path | None = None) -> ssl.SSLContext:
    """TLS of a caller who shows this certificate (None: none) and trusts the authority alone."""
    context = ssl.create_default_context(cafile=str(authority))
    if certificate is not None:
        context.load_cert_chain(certificate, private_key)
    return context


def calling_as(
    organisation_id: str, pair: Pair, receiver: Side, source_address: str | None = None, kind: type[Forger] = Forger
) -> Forger:
    """A caller of one side of the pair who has the TLS certificate of that organisation."""
    home = pair.certs / organisation_id
    tls = caller(pair.certs / "ca.pem", home / "tls.pem", home / "tls.key")
    return kind(receiver.url, tls, receiver.public_key, source_address)
