"""OCEN 4.0 (seed 000): a plain body, its detached JWS and a bearer token in HTTP headers, RS256."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.protocol import checks
from shared.protocol.detached import seal_detached
from shared.protocol.encoding import dump_json, format_timestamp
from shared.protocol.opened import Opened, OpenedCall
from shared.protocol.participants import Dialect, Participant
from shared.protocol.phases import Style
from shared.protocol.profiles.base import Dressed, Originator, Profile
from shared.protocol.signing import SigningKey


@dataclass(frozen=True, slots=True)
class DetachedProfile(Profile):
    """The body is the payload; what signs it stands in the HTTP headers."""

    def dress(self, payload: bytes, key: SigningKey, style: Style) -> Dressed:
        """Return the payload as it is, with its detached signature in the form that `style` asks for."""
        assert isinstance(style, Dialect)
        return Dressed(payload, seal_detached(payload, key, style))

    def stamp(
        self, content: Mapping[str, Any], sender: Originator, request_id: str, trace_id: str, now: datetime
    ) -> bytes:
        """Write the payload of a message; the originator stands there under both spellings of the schema (C7)."""
        metadata = {
            **content.get("metadata", {}),
            "version": self.metadata_version,
            "originatorOrgId": sender.organisation_id,
            "originatorParticipantId": sender.participant_id,
            "orgId": sender.organisation_id,
            "participantId": sender.participant_id,
            "timestamp": format_timestamp(now),
            "traceId": trace_id,
            "requestId": request_id,
        }
        return dump_json({"metadata": metadata, **{k: v for k, v in content.items() if k != "metadata"}})

    def style_for(self, receiver: Participant) -> Style:
        """Return the dialect that the receiver is set to."""
        return receiver.dialect

    def style_of(self, opened: Opened, sender: Participant | None) -> Style:
        """Return the dialect of the sender, strict as long as nobody knows who it is."""
        return sender.dialect if sender is not None else Dialect.STRICT

    def may_be_unsigned(self, callee: Participant, opened: Opened) -> bool:
        """Let an official starter get by without signing its acks; a signature that is there has to hold (C15)."""
        assert isinstance(opened, OpenedCall)
        return callee.dialect is Dialect.AUTHSTARTER and not opened.signatures

    def answerer(self, callee: Participant, kid: str) -> Participant | None:
        """Return the party that we called: its kid is judged by a check of its own."""
        return callee


V4 = DetachedProfile(
    name="v4",
    mount="/v4.0.0alpha",
    opened=OpenedCall,
    metadata_version="4.0.0alpha",
    ack_timeout=timedelta(seconds=10),
    sender_member="originatorParticipantId",
    head_checks=checks.V4_HEAD_CHECKS,
    opening_checks=checks.V4_OPENING_CHECKS,
    token_checks=checks.V4_TOKEN_CHECKS,
    verdict_checks=checks.V4_VERDICT_CHECKS,
    journal_checks=checks.JOURNAL_CHECKS,
    ack_opening_checks=checks.V4_ACK_OPENING_CHECKS,
    ack_verdict_checks=checks.V4_ACK_VERDICT_CHECKS,
)
