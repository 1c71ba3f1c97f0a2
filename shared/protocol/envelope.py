"""The envelope of OCEN v3: how a message in it is opened, and how one is made.

A flattened JWS whose signed header is named `header` or `protected` (OCEN v3 Security, RFC 7515 s7.2.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.protocol.encoding import NOTHING, base64url_decode_if_any, base64url_encode, dump_json, format_timestamp
from shared.protocol.participants import EnvelopeMember, Participant
from shared.protocol.phases import MAX_BODY_BYTES, Opened, SignatureVariant
from shared.protocol.profile import Originator, Profile, SignedBody
from shared.protocol.signing import RS512, SigningKey


class OpenedEnvelope(Opened):
    """A message of OCEN v3: a flattened JWS (OCEN v3 Security, RFC 7515 s7.2.2).

    Attributes:
        outer: the members of the envelope.
        member: how it spells its signed header: `header` where it names neither or both. The ack is spelled alike.
    """

    algorithm = RS512
    id_in_metadata = False
    outer: Mapping[str, Any] = NOTHING
    member = EnvelopeMember.HEADER

    def _open_body(self) -> None:
        self.outer = outer = self.texts.read_if_any(self.body, MAX_BODY_BYTES)
        if "protected" in outer and "header" not in outer:
            self.member = EnvelopeMember.PROTECTED
        self.payload = base64url_decode_if_any(outer.get("payload"))
        self.signature = base64url_decode_if_any(outer.get("signature"))
        self._open_header(outer.get(self.member))

    @property
    def signing_input(self) -> bytes:
        """Header, dot, payload as they travelled (RFC 7515 s5.1; the published sample proves the order)."""
        return f"{self.outer[self.member]}.{self.outer['payload']}".encode("ascii")


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


@dataclass(frozen=True, slots=True)
class EnvelopeProfile(Profile):
    """Header, payload and signature travel in one JSON object, whatever the HTTP headers are."""

    def sign(self, payload: bytes, key: SigningKey, variant: SignatureVariant) -> SignedBody:
        """Return the envelope of these payload bytes, its signed header spelled as `variant` says."""
        assert isinstance(variant, EnvelopeMember)
        return SignedBody(seal(payload, key.bound_to(self.opened.algorithm), variant).to_bytes(), {})

    def stamp(
        self, content: Mapping[str, Any], sender: Originator, request_id: str, trace_id: str, now: datetime
    ) -> bytes:
        """Write the payload of a message; its requestId stands beside the metadata (OCEN v3 metadata)."""
        metadata = {
            **content.get("metadata", {}),
            "version": self.metadata_version,
            "timestamp": format_timestamp(now),
            "traceId": trace_id,
            "orgId": sender.participant_id,
        }
        rest = {name: value for name, value in content.items() if name not in ("metadata", "requestId")}
        return dump_json({"metadata": metadata, "requestId": request_id, **rest})

    def variant_for(self, receiver: Participant) -> SignatureVariant:
        """Return how the receiver's record wants the signed header spelled."""
        return receiver.envelope_member

    def variant_of(self, opened: Opened, sender: Participant | None) -> SignatureVariant:
        """Return the spelling of the message."""
        assert isinstance(opened, OpenedEnvelope)
        return opened.member
