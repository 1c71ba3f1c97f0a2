"""OCEN v3 ("BHIM for lending", seed 002): a flattened JWS in the body, RS512."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.protocol import checks
from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.envelope import seal
from shared.protocol.opened import Opened, OpenedEnvelope
from shared.protocol.participants import EnvelopeMember, Participant
from shared.protocol.phases import Style
from shared.protocol.profiles.base import Dressed, Originator, Profile
from shared.protocol.signing import SigningKey


@dataclass(frozen=True, slots=True)
class EnvelopeProfile(Profile):
    """Header, payload and signature travel in one JSON object, whatever the HTTP headers are."""

    def dress(self, payload: bytes, key: SigningKey, style: Style) -> Dressed:
        """Return the envelope of these payload bytes, its signed header spelled as `style` says."""
        assert isinstance(style, EnvelopeMember)
        return Dressed(seal(payload, key, style).to_bytes(), {})

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

    def style_for(self, receiver: Participant) -> Style:
        """Return how the receiver's record wants the signed header spelled."""
        return receiver.envelope_member

    def style_of(self, opened: Opened, sender: Participant | None) -> Style:
        """Return the spelling of the message."""
        assert isinstance(opened, OpenedEnvelope)
        return opened.member


V3 = EnvelopeProfile(
    name="v3",
    mount="/v3",
    opened=OpenedEnvelope,
    metadata_version="1.0",
    ack_timeout=timedelta(seconds=4),
    sender_member="orgId",
    head_checks=(),
    opening_checks=checks.OPENING_CHECKS,
    token_checks=(),
    verdict_checks=checks.VERDICT_CHECKS,
    journal_checks=checks.JOURNAL_CHECKS,
    ack_opening_checks=checks.ACK_OPENING_CHECKS,
    ack_verdict_checks=checks.ACK_VERDICT_CHECKS,
)
