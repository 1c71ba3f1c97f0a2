"""The good v3 message that is tampered with, with what a forger could have at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.protocol.encoding import base64url_decode, base64url_encode, dump_json
from shared.protocol.envelope import Envelope
from shared.protocol.participants import EnvelopeMember
from shared.protocol.signing import SigningKey
from shared.protocol.tampering.base import Good, OutgoingMessage, TlsIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodMessage(Good):
    """A good message in its envelope; `member` is how that spells its signed header."""

    member: EnvelopeMember = EnvelopeMember.HEADER

    @property
    def request_id(self) -> str:
        """The message's requestId, which stands beside the metadata."""
        return str(self.document["requestId"])

    def with_request_id(self, request_id: str | None) -> dict[str, Any]:
        """Return the payload with another requestId, or with none."""
        return self.without("requestId") | ({} if request_id is None else {"requestId": request_id})

    @property
    def header(self) -> dict[str, Any]:
        """The members of the signed header."""
        return {"kid": self.key.kid, "alg": self.key.algorithm}

    def signing_input(self, header: str) -> bytes:
        """Return what a signature over the good payload under this header, in base64url, is over (RFC 7515 s5.1)."""
        return f"{header}.{base64url_encode(self.payload)}".encode()

    @property
    def signed_parts(self) -> tuple[str, bytes]:
        """The signed header of the good message, in base64url, and its signature."""
        envelope = self.envelope()
        return envelope.header, base64url_decode(envelope.signature)

    @property
    def parts(self) -> dict[str, str]:
        """The three members of the good envelope."""
        return self.members(self.envelope())

    def members(self, envelope: Envelope) -> dict[str, str]:
        """Return the members of an envelope in their order."""
        return {"payload": envelope.payload, self.member.value: envelope.header, "signature": envelope.signature}

    def name_of(self, part: str) -> str:
        """Return how the payload, the header or the signature is called in this message's envelope."""
        return self.member.value if part == "header" else part

    def envelope(
        self, payload: bytes | None = None, header: bytes | None = None, key: SigningKey | None = None
    ) -> Envelope:
        """Sign this payload under this header with this key; where one is not given, the good one is used."""
        return self.sign_texts(
            base64url_encode(self.payload if payload is None else payload),
            base64url_encode(dump_json(self.header) if header is None else header),
            key,
        )

    def sign_texts(self, payload: str, header: str, key: SigningKey | None = None) -> Envelope:
        """Sign two parts exactly as they are written, even if they are no base64url."""
        signature = (key or self.key).sign(f"{header}.{payload}".encode())
        return Envelope(payload, header, base64url_encode(signature), self.member)

    def send(self, body: bytes | None = None) -> OutgoingMessage:
        """Send this body, or the good one."""
        return OutgoingMessage(
            self.method, self.path, self.headers, self.envelope().to_bytes() if body is None else body
        )

    def send_members(self, members: object) -> OutgoingMessage:
        """Send an envelope with these members, or any other JSON value."""
        return self.send(dump_json(members))

    def send_payload(self, payload: bytes) -> OutgoingMessage:
        """Send these payload bytes, rightly signed."""
        return self.send(self.envelope(payload).to_bytes())

    def send_header(self, header: Mapping[str, object] | bytes, key: SigningKey | None = None) -> OutgoingMessage:
        """Send the good payload under this signed header, rightly signed by the key."""
        header_bytes = header if isinstance(header, bytes) else dump_json(header)
        return self.send(self.envelope(header=header_bytes, key=key).to_bytes())

    def send_changed(self, payload: bytes) -> OutgoingMessage:
        """Send this payload under the header and the signature of the good one."""
        return self.send_members({**self.parts, "payload": base64url_encode(payload)})

    def send_parts(self, header: str, signature: bytes) -> OutgoingMessage:
        """Send the good payload under this header, in base64url, with this signature."""
        return self.send_members({**self.parts, self.member.value: header, "signature": base64url_encode(signature)})

    def send_by_other(self, *, in_the_name_of_the_sender: bool) -> OutgoingMessage:
        """Send the good message, or the same as one of its own, from another participant, with all that it has."""
        own = dump_json(self.with_metadata(orgId=self.other.id))
        payload, key = self.payload if in_the_name_of_the_sender else own, self.other.key
        body = self.envelope(payload, dump_json({"kid": key.kid, "alg": key.algorithm}), key).to_bytes()
        return replace(self.send(body), identity=TlsIdentity.OTHER)
