"""Examples for the protocol plane's OpenAPI document: the catalogue's, with metadata and envelope filled in.

All is as it would travel, but for the signatures: nobody's private key is in a document.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from shared.catalogue.table import BY_NAME
from shared.catalogue.types import MessageType
from shared.protocol.acknowledgement import Acknowledgement
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.envelope import Envelope
from shared.protocol.participants import EnvelopeMember, ParticipantRole
from shared.protocol.problems import Problem
from shared.protocol.profiles import PROFILES, Profile

_MOMENT: Final = datetime(2031, 5, 14, 9, 30, 15, 250000, UTC)
_TRACE_ID: Final = "01999c1e-7a90-7d02-b3a4-90d1c5e7f608"
_REQUEST_ID: Final = "01999c1e-7b1a-7c40-9a51-2f6a8d0c9e11"
_KID: Final = "7a3c9d52-6f1e-4b8a-9c04-2d5e8f7b1a63"
_SIGNATURE: Final = base64url_encode(b"here stands the signature: 256 bytes or more, by the key that kid names")
_ORGANISATIONS: Final = {ParticipantRole.LENDER: "LENDER01", ParticipantRole.LOAN_AGENT: "LSP123"}


def base_url(role: ParticipantRole) -> str:
    """Return the base URL of the example's participant of that role."""
    return f"https://{_ORGANISATIONS[role].lower()}.example"


def message_payload(message: MessageType) -> dict[str, Any]:
    """Return the payload of a message, under the requestId that the example of its answer names."""
    payload: dict[str, Any] = json.loads(_stamped(message))
    return payload


def message_envelopes(message: MessageType) -> dict[str, Any]:
    """Return Example Objects of the envelope of a message, one for each name of the signed header."""
    payload, profile = _stamped(message), PROFILES[message.version]
    return {member.value: _example(profile, payload, member) for member in EnvelopeMember}


def ack_envelope(profile: Profile, problem: Problem | None = None) -> dict[str, Any]:
    """Return the Example Object of an ack that accepts, or that refuses because of the problem."""
    return _example(profile, Acknowledgement(_TRACE_ID, _MOMENT, problem).payload(), EnvelopeMember.HEADER)


def _stamped(message: MessageType) -> bytes:
    answer = BY_NAME[message.answered_by].example() if message.answered_by else {}
    content = {"requestId": answer.get("requestId", _REQUEST_ID), **message.example()}
    return PROFILES[message.version].stamp(content, _ORGANISATIONS[message.sender], _TRACE_ID, _MOMENT)


def _example(profile: Profile, payload: bytes, member: EnvelopeMember) -> dict[str, Any]:
    header = base64url_encode(dump_json({"kid": _KID, "alg": profile.algorithm}))
    envelope = Envelope(base64url_encode(payload), header, _SIGNATURE, member)
    return {"description": f"Payload: `{payload.decode()}`", "value": json.loads(envelope.to_bytes())}
