"""Payloads for the examples of the protocol plane's OpenAPI document: the catalogue's, with metadata filled in."""

from datetime import UTC, datetime
from typing import Final

from shared.catalogue.table import BY_NAME
from shared.catalogue.types import MessageType
from shared.protocol.acknowledgement import Acknowledgement
from shared.protocol.participants import ParticipantRole
from shared.protocol.problems import Problem
from shared.protocol.profiles import PROFILES, V3, V4, Originator

_MOMENT: Final = datetime(2031, 5, 14, 9, 30, 15, 250000, UTC)
_TRACE_ID: Final = "01999c1e-7a90-7d02-b3a4-90d1c5e7f608"
_REQUEST_ID: Final = "01999c1e-7b1a-7c40-9a51-2f6a8d0c9e11"
_ORGANISATIONS: Final = {ParticipantRole.LENDER: "LENDER01", ParticipantRole.LOAN_AGENT: "LSP123"}
_MEMBERS: Final = {
    ParticipantRole.LENDER: Originator("7021", "7020"),
    ParticipantRole.LOAN_AGENT: Originator("7034", "7033"),
}


def base_url(role: ParticipantRole) -> str:
    """Return the base URL of the example's participant of that role."""
    return f"https://{_ORGANISATIONS[role].lower()}.example"


def message_payload(message: MessageType) -> bytes:
    """Return the payload of a message, under the requestId that the example of its answer names."""
    answer = BY_NAME[message.answer_key].example() if message.answer_key else {}
    request_id = message.example().get("requestId", answer.get("requestId", _REQUEST_ID))
    originator = _originator(message.version, message.sender)
    return PROFILES[message.version].stamp(message.example(), originator, request_id, _TRACE_ID, _MOMENT)


def ack_payload(problem: Problem | None = None, *, is_wrapped: bool) -> bytes:
    """Return the payload of an ack that accepts, or that refuses because of the problem."""
    return Acknowledgement(_TRACE_ID, _MOMENT, problem, is_wrapped=is_wrapped).payload()


def _originator(version: str, role: ParticipantRole) -> Originator:
    return {V3.name: Originator(_ORGANISATIONS[role]), V4.name: _MEMBERS[role]}[version]
