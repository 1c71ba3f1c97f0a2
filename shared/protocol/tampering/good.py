"""The good message that is spoiled, with what a forger could have at hand, and what goes out in its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.protocol.encoding import base64url_encode, dump_json, format_timestamp
from shared.protocol.envelope import Envelope
from shared.protocol.nonces import DEFAULT_WINDOW, FreshnessWindow
from shared.protocol.participants import EnvelopeMember
from shared.protocol.signing import SigningKey


class TlsIdentity(StrEnum):
    """With whose TLS certificate a message is sent."""

    OWN = "the sender's own"
    OTHER = "another participant's"


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What to put on the wire, and as whom.

    `from_listed_address` False asks for a source address that the sender has not listed, which only some drivers can
    arrange; the others leave such a message out.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    identity: TlsIdentity = TlsIdentity.OWN
    from_listed_address: bool = True


@dataclass(frozen=True, slots=True)
class OtherParticipant:
    """Another participant known to the receiver, of a role that does not send the good message.

    `certificate` is the thumbprint of the certificate that `TlsIdentity.OTHER` presents.
    """

    organisation_id: str
    certificate: str
    key: SigningKey


@dataclass(frozen=True, slots=True)
class OtherMessage:
    """Another message that the same sender may send: its path, and a payload that fits it."""

    path: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GoodMessage:
    """A message that would be accepted, and all that is needed to spoil it. The keys are RSA with 2048 bits.

    Attributes:
        document: the payload, complete with metadata; it has a `credBlock` and lacks what `elsewhere` requires.
        key: the sender's signing key; `backup_key` and `blocked_key` are the sender's as well, `unknown_key` nobody's.
        now: the receiver's time (aware).
        canary_url: a place that no receiver may ever ask for a key.
    """

    path: str
    document: Mapping[str, Any]
    key: SigningKey
    backup_key: SigningKey
    blocked_key: SigningKey
    unknown_key: SigningKey
    other: OtherParticipant
    elsewhere: OtherMessage
    now: datetime
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    member: EnvelopeMember = EnvelopeMember.HEADER
    window: FreshnessWindow = DEFAULT_WINDOW
    canary_url: str = "https://keys.invalid/jwks.json"

    @property
    def payload(self) -> bytes:
        """The bytes of the payload."""
        return dump_json(self.document)

    @property
    def header(self) -> dict[str, Any]:
        """The members of the signed header."""
        return {"kid": self.key.kid, "alg": self.key.algorithm}

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

    def with_metadata(self, **changes: object) -> dict[str, Any]:
        """Return the payload with some members of its metadata changed."""
        return {**self.document, "metadata": {**self.document["metadata"], **changes}}

    def restamped(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a payload under this message's metadata, but a millisecond later: that makes its nonce a new one."""
        timestamp = format_timestamp(self.now + timedelta(milliseconds=1))
        return {**document, "metadata": {**self.document["metadata"], "timestamp": timestamp}}

    def send(self, body: bytes | None = None) -> OutgoingMessage:
        """Send this body, or the good one."""
        return OutgoingMessage(
            self.method, self.path, self.headers, self.envelope().to_bytes() if body is None else body
        )

    def send_members(self, members: object) -> OutgoingMessage:
        """Send an envelope with these members, or any other JSON value."""
        return self.send(dump_json(members))

    def send_document(self, document: Mapping[str, Any]) -> OutgoingMessage:
        """Send this payload, rightly signed."""
        return self.send_payload(dump_json(document))

    def send_payload(self, payload: bytes) -> OutgoingMessage:
        """Send these payload bytes, rightly signed."""
        return self.send(self.envelope(payload).to_bytes())

    def send_header(self, header: Mapping[str, object] | bytes, key: SigningKey | None = None) -> OutgoingMessage:
        """Send the good payload under this signed header, rightly signed by the key."""
        header_bytes = header if isinstance(header, bytes) else dump_json(header)
        return self.send(self.envelope(header=header_bytes, key=key).to_bytes())
