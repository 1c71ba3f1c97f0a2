"""Reads one message's history: what travelled under a requestId, byte for byte, and what each check found."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from shared.catalogue.table import find_message
from shared.node.evidence import judging as evidence
from shared.node.evidence.judging import profile_of
from shared.node.evidence.remembered import Remembered
from shared.node.journal_rows import rows_under, tries_of
from shared.node.ops.ledger_views import (
    Attempt,
    MessageHistory,
    ReceivedMessage,
    RefusedMessage,
    SentMessage,
    SignedTextView,
    VerificationStep,
)
from shared.node.tables import INBOX, OUTBOX, REFUSALS
from shared.protocol.phases import Peer
from shared.protocol.problems import Problem
from shared.protocol.profiles import PROFILES, V3, Profile

_REFUSALS_SHOWN: Final = 50


def message_history(connection: Connection, request_id: str, own_ids: Mapping[str, str]) -> MessageHistory | None:
    """Return everything under a requestId: the signed texts, what each check found, every try; None if nothing is.

    `own_ids` says by which id the node is known under each profile. What a check that held has found is worked out now,
    as far as the journal and the register have kept what it was judged by.
    """
    received = rows_under(connection, INBOX, request_id)
    sent = rows_under(connection, OUTBOX, request_id)
    refused = _latest_refusals(connection, request_id)
    if not (received or sent or refused):
        return None
    tries = tries_of(connection, [row.id for row in sent])
    register = Remembered(connection, own_ids)
    return MessageHistory(
        request_id=request_id,
        received=[_received(row, register) for row in received],
        sent=[_sent(row, [_attempt(attempt, row, register) for attempt in tries[row.id]]) for row in sent],
        refused=[refused_message(row) for row in refused],
    )


def _latest_refusals(connection: Connection, request_id: str) -> Sequence[Row[Any]]:
    newest_first = select(REFUSALS).where(REFUSALS.c.request_id == request_id).order_by(REFUSALS.c.id.desc())
    return connection.execute(newest_first.limit(_REFUSALS_SHOWN)).all()[::-1]


def _attempt(row: Row[Any], sent: Row[Any], register: Remembered) -> Attempt:
    profile = profile_of(find_message(sent.message))
    answer = evidence.SignedText(
        row.answer, sent.receiver, row.started_at, profile, Peer(row.certificate, ""), row.answer_signature
    )
    judged = evidence.judge(answer, register, answers=row.trace_id)
    return Attempt(
        started_at=row.started_at,
        milliseconds=row.milliseconds,
        trace_id=row.trace_id,
        kid=row.kid,
        outcome=row.outcome,
        status=row.status,
        reason=row.reason,
        sent=SignedTextView.of(row.sent, row.signature, profile),
        answer=SignedTextView.of(row.answer, row.answer_signature, profile) if row.answer else None,
        verification=VerificationStep.all_of(row.steps, profile.ack_checks, judged.verification.steps),
    )


def _received(row: Row[Any], register: Remembered) -> ReceivedMessage:
    message_type = find_message(row.message)
    profile, peer = profile_of(message_type), Peer(row.certificate, row.address)
    text = SignedTextView.of(row.raw, row.signature, profile)
    signed = evidence.SignedText(row.raw, row.sender, row.received_at, profile, peer, row.signature)
    judged = evidence.judge(signed, register, message_type)
    return ReceivedMessage(
        id=row.id,
        message=row.message,
        peer=row.sender,
        at=row.received_at,
        trace_id=row.trace_id,
        kid=row.kid,
        certificate=row.certificate,
        address=row.address,
        verification=VerificationStep.all_of(row.steps, profile.request_checks, judged.verification.steps),
        envelope=text.envelope,
        signature=text.signature,
        decoded=text.decoded,
        ack=SignedTextView.of(row.ack, row.ack_signature, profile),
    )


def _sent(row: Row[Any], attempts: list[Attempt]) -> SentMessage:
    more = {"peer": row.receiver, "at": row.created_at, "content": json.loads(row.content), "attempts": attempts}
    return SentMessage.model_validate({**row._mapping, **more})


def refused_message(row: Row[Any]) -> RefusedMessage:
    """Show a row of the refusals."""
    return RefusedMessage(
        id=row.id,
        at=row.received_at,
        peer=row.peer,
        address=row.address,
        path=row.path,
        request_id=row.request_id,
        trace_id=row.trace_id,
        error=row.error,
        meaning=next((problem.meaning for problem in Problem if problem.code == row.error), ""),
        reason=row.reason,
        verification=VerificationStep.all_of(row.steps, _profile_at(row.path).request_checks),
        raw=row.raw.decode(errors="replace"),
        signature=row.signature,
    )


def _profile_at(path: str) -> Profile:
    """Return the profile whose middleware serves a path: by its mount, v3 if it has none."""
    return next((profile for profile in PROFILES.values() if path.startswith(f"{profile.mount}/")), V3)
