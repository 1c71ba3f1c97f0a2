"""The v3 envelope: a flattened JWS whose signed header is named `header` or `protected` (seed 002, RFC 7515 s7.2.2)."""

from dataclasses import dataclass

from shared.protocol.encoding import base64url_encode
from shared.protocol.participants import EnvelopeMember
from shared.protocol.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Envelope:
    """The three parts as they travel, base64url texts, and the name that the signed header had."""

    payload: str
    header: str
    signature: str
    member: EnvelopeMember = EnvelopeMember.HEADER

    @property
    def signing_input(self) -> bytes:
        """The bytes that are signed: header, dot, payload (RFC 7515 s5.1; the published sample proves the order)."""
        return f"{self.header}.{self.payload}".encode("ascii")

    def to_bytes(self) -> bytes:
        """Write the envelope as JSON; base64url needs no escaping."""
        return (
            f'{{"payload":"{self.payload}","{self.member}":"{self.header}","signature":"{self.signature}"}}'
        ).encode("ascii")


def seal(payload: bytes, key: SigningKey, member: EnvelopeMember = EnvelopeMember.HEADER) -> Envelope:
    """Sign these exact payload bytes with the key (RFC 7515 s5.1)."""
    encoded = base64url_encode(payload)
    signature = key.sign(f"{key.header}.{encoded}".encode("ascii"))
    return Envelope(encoded, key.header, base64url_encode(signature), member)
