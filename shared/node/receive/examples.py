"""Payloads for the examples in the OpenAPI documents: the catalogue's, with metadata filled in."""

from datetime import UTC, datetime
from typing import Final

from shared.catalogue.table import example_of
from shared.protocol.messages import MessageType, Role
from shared.protocol.problems import Problem
from shared.protocol.profiles import PROFILES, V3, V4, Originator
from shared.protocol.verification import Acknowledgement

_MOMENT: Final = datetime(2031, 5, 14, 9, 30, 15, 250000, UTC)
_TRACE_ID: Final = "01999c1e-7a90-7d02-b3a4-90d1c5e7f608"
_REQUEST_ID: Final = "01999c1e-7b1a-7c40-9a51-2f6a8d0c9e11"
_ORGANISATIONS: Final = {Role.LENDER: "LENDER01", Role.LOAN_AGENT: "LSP123"}
_MEMBERS: Final = {
    Role.LENDER: Originator("7021", "7020"),
    Role.LOAN_AGENT: Originator("7034", "7033"),
}


def base_url(role: Role) -> str:
    """Return the base URL of the example's participant of that role."""
    return f"https://{_ORGANISATIONS[role].lower()}.example"


def message_payload(message: MessageType) -> bytes:
    """Return the payload of a message, under the requestId that the example of its answer names."""
    answer = example_of(message.answered_by) if message.answered_by else {}
    request_id = example_of(message).get("requestId", answer.get("requestId", _REQUEST_ID))
    originator = _originator(message.version, min(message.senders))
    return PROFILES[message.version].stamp(example_of(message), originator, request_id, _TRACE_ID, _MOMENT)


def ack_payload(problem: Problem | None = None, *, is_wrapped: bool) -> bytes:
    """Return the payload of an ack that accepts, or that refuses because of the problem."""
    return Acknowledgement(_TRACE_ID, _MOMENT, problem, is_wrapped=is_wrapped).payload()


def _originator(version: str, role: Role) -> Originator:
    return {V3.name: Originator(_ORGANISATIONS[role]), V4.name: _MEMBERS[role]}[version]
