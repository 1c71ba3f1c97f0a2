"""The evidence of messages that were received and accepted: the message as it came, and the ack that went out."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from shared.catalogue.table import find_message
from shared.node.evidence.judging import SignedText, flaws_of, judge_ack, judge_message, kid_of, profile_of
from shared.node.evidence.parts import Part, error_of, message_quotes, trace_id_of
from shared.node.evidence.recorded import flaws_of_record
from shared.node.evidence.remembered import Remembered
from shared.protocol.nonces import is_fingerprint_of
from shared.protocol.problems import SUCCESS
from shared.protocol.verification import Examination, Peer


def received_parts(row: Row[Any], name: str, own_id: str, register: Remembered) -> Iterator[Part]:
    """Judge a row of the inbox again: the message, then our ack."""
    message_type = find_message(row.message)
    profile, peer = profile_of(message_type), Peer(row.certificate, row.address)
    text = SignedText(row.raw, row.sender, row.received_at, profile, peer, row.signature)
    examination = judge_message(text, message_type, register)
    yield Part(
        name=name,
        what=f"{row.message} from {row.sender} to {own_id}",
        text=text,
        examination=examination,
        flaws=(
            *flaws_of(text, examination, register),
            *flaws_of_record(row.steps),
            *_disagreements(row, examination),
        ),
        quotes=message_quotes(examination, row.request_id, text),
        recorded=row.steps,
        is_accepted=True,
    )
    yield _ack_part(row, f"{name}-ack", own_id, trace_id_of(examination) or row.trace_id, register)


def _ack_part(row: Row[Any], name: str, own_id: str, trace_id: str, register: Remembered) -> Part:
    profile = profile_of(find_message(row.message))
    text = SignedText(row.ack, own_id, row.received_at, profile, signature=row.ack_signature)
    examination = judge_ack(text, trace_id, register)
    flaws = flaws_of(text, examination, register)
    if examination.problem is None and error_of(examination) != SUCCESS:
        flaws.append(f"error is {error_of(examination)}, and the journal has the message as accepted")
    return Part(
        name=name,
        what=f"ack of {own_id} to {row.sender}",
        text=text,
        examination=examination,
        flaws=tuple(flaws),
        quotes=(("error", SUCCESS), ("traceId", trace_id)),
        is_accepted=True,
    )


def _disagreements(row: Row[Any], examination: Examination) -> list[str]:
    """Compare what the row says with what is signed."""
    flaws = [] if find_message(row.message) else [f"{row.message} is no message of the catalogue"]
    if examination.problem is not None:
        return flaws
    signed = {
        "kid": (row.kid, kid_of(examination)),
        "trace_id": (row.trace_id, trace_id_of(examination)),
        "request_id": (row.request_id, examination.request_id),
    }
    flaws += [
        f"the journal has {name} {stored}, signed is {said}"
        for name, (stored, said) in signed.items()
        if stored != said
    ]
    if not is_fingerprint_of(row.content_digest, row.message, examination.document):
        flaws.append(f"the journal's digest is not that of a {row.message} with this content")
    return flaws
