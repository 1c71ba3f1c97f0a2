"""Verified messages, made by the profile itself from signed envelopes; and a rule that replies what a test says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.catalogue.table import find_message, get_message
from shared.node.receive.acceptance import Arrival
from shared.node.rules import Bound, Moment, Records, Reply, find_records
from shared.node.send.outbox import OutboxState
from shared.protocol.encoding import dump_json
from shared.protocol.envelope import seal
from shared.protocol.messages import Role
from shared.protocol.phases import KnownSender, Peer, VerifiedMessage, WireMessage
from shared.protocol.profiles import V3, SignedBody
from tests.equipment.clock import NOW
from tests.equipment.parties import LENDER, lender, lender_key, lsp, lsp_key, payload_of
from tests.equipment.verifying import Known, verify_at_once

TRIGGER = get_message("v3", "TriggerLoanAcceptanceRequest")
VERIFY = get_message("v3", "VerifyLoanAcceptanceRequest")
CALLBACK = get_message("v3", "TriggerLoanAcceptanceResponse")


def verified(document: Mapping[str, Any], name: str = TRIGGER.name, now: datetime = NOW) -> VerifiedMessage:
    """The message with this payload, received at `now` from the participant whose role sends it."""
    message_type = find_message(name)
    is_lender = Role.LENDER in message_type.senders
    sender, key = (lender(), lender_key()) if is_lender else (lsp(), lsp_key())
    body = seal(dump_json(document), key).to_bytes()
    peer = Peer(min(sender.certificates), "192.0.2.7")
    wire = WireMessage("POST", message_type.path, {"content-type": "application/json"}, body, peer)
    message = verify_at_once(V3, V3.opened(wire, message_type, now), Known(KnownSender(sender)))
    assert isinstance(message, VerifiedMessage), message
    return message


def request(request_id: str = "request-1", trace_id: str = "trace-1", now: datetime = NOW, **content: Any) -> Any:
    """A TriggerLoanAcceptanceRequest of the LSP."""
    return verified({**payload_of(TRIGGER.name, request_id, traceId=trace_id), **content}, TRIGGER.name, now)


def callback(request_id: str = "request-1", trace_id: str = "trace-1", now: datetime = NOW) -> VerifiedMessage:
    """A TriggerLoanAcceptanceResponse of the lender."""
    payload = payload_of(CALLBACK.name, request_id, traceId=trace_id, orgId=LENDER)
    return verified(payload, CALLBACK.name, now)


def arrival(message: VerifiedMessage, rule: Bound[VerifiedMessage] | None = None, **changes: Any) -> Arrival:
    """The message as it comes to the journal."""
    parts: dict[str, Any] = {
        "message": message,
        "message_type": message.message_type,
        "rule": rule,
        "ack": SignedBody(b"the signed ack", {}),
        "first_due": message.received_at,
        "state": OutboxState.WAITING,
    }
    return Arrival(**{**parts, **changes})


def deciding(reply: Reply, *ids: str) -> Bound[VerifiedMessage]:
    """A rule that always replies the same, having asked for the records of these ids."""

    def rule(message: VerifiedMessage, records: Records, now: Moment) -> Reply:
        find_records(records, ids)
        return reply

    return rule
