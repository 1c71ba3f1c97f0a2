"""The evidence of messages that were received and accepted: the message as it came, and the ack that went out."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from shared.catalogue.table import find_message
from shared.node.evidence.judging import SignedText, flaws_of, judge_ack, judge_message, profile_of
from shared.node.evidence.parts import Part, error_of, message_quotes
from shared.node.evidence.recorded import flaws_of_record, recorded_checks
from shared.node.evidence.remembered import Remembered
from shared.protocol.nonces import is_fingerprint_of
from shared.protocol.opened import Peer
from shared.protocol.problems import SUCCESS
from shared.protocol.profiles import Judged


def received_parts(row: Row[Any], name: str, own_id: str, register: Remembered) -> Iterator[Part]:
    """Judge a row of the inbox again: the message, then our ack."""
    message_type = find_message(row.message)
    profile, peer = profile_of(message_type), Peer(row.certificate, row.address)
    text = SignedText(row.raw, row.sender, row.received_at, profile, peer, row.signature)
    judged = judge_message(text, message_type, register)
    recorded = recorded_checks(row.steps, profile.request_checks)
    yield Part(
        name=name,
        what=f"{row.message} from {row.sender} to {own_id}",
        text=text,
        judged=judged,
        flaws=(
            *flaws_of(text, judged, register),
            *flaws_of_record(recorded),
            *_disagreements(row, judged),
        ),
        quotes=message_quotes(judged, row.request_id, text),
        recorded=recorded,
        is_accepted=True,
    )
    yield _ack_part(row, f"{name}-ack", own_id, judged.opened.trace_id or row.trace_id, register)


def _ack_part(row: Row[Any], name: str, own_id: str, trace_id: str, register: Remembered) -> Part:
    profile = profile_of(find_message(row.message))
    text = SignedText(row.ack, own_id, row.received_at, profile, signature=row.ack_signature)
    judged = judge_ack(text, trace_id, register)
    flaws = flaws_of(text, judged, register)
    if judged.verification.passed and error_of(judged) != SUCCESS:
        flaws.append(f"error is {error_of(judged)}, and the journal has the message as accepted")
    return Part(
        name=name,
        what=f"ack of {own_id} to {row.sender}",
        text=text,
        judged=judged,
        flaws=tuple(flaws),
        quotes=(("error", SUCCESS), ("traceId", trace_id)),
        is_accepted=True,
    )


def _disagreements(row: Row[Any], judged: Judged) -> list[str]:
    """Compare what the row says with what is signed."""
    flaws = [] if find_message(row.message) else [f"{row.message} is no message of the catalogue"]
    if judged.verification.failure:
        return flaws
    signed = {
        "kid": (row.kid, judged.kid),
        "trace_id": (row.trace_id, judged.opened.trace_id),
        "request_id": (row.request_id, judged.opened.request_id),
    }
    flaws += [
        f"the journal has {name} {stored}, signed is {said}"
        for name, (stored, said) in signed.items()
        if stored != said
    ]
    if not is_fingerprint_of(row.content_digest, row.message, judged.opened.document):
        flaws.append(f"the journal's digest is not that of a {row.message} with this content")
    return flaws
