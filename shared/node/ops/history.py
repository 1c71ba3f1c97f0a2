"""Reading one message's history: what travelled under a requestId, byte for byte, and what each check found."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from shared.catalogue.table import find_message
from shared.node.ops.ledger_views import (
    Attempt,
    MessageHistory,
    ReceivedMessage,
    RefusedMessage,
    SentMessage,
    SignedTextView,
    VerificationStep,
)
from shared.node.store.journal_rows import rows_under, tries_of
from shared.node.store.tables import INBOX, OUTBOX, REFUSALS
from shared.protocol.problems import Problem
from shared.protocol.profiles import V4

_REFUSALS_SHOWN: Final = 50


def message_history(connection: Connection, request_id: str) -> MessageHistory | None:
    """Return everything under a requestId: the signed texts, what each check found, every try; None if nothing is."""
    received = rows_under(connection, INBOX, request_id)
    sent = rows_under(connection, OUTBOX, request_id)
    refused = _latest_refusals(connection, request_id)
    if not (received or sent or refused):
        return None
    tries = tries_of(connection, [row.id for row in sent])
    return MessageHistory(
        request_id=request_id,
        received=[_received(row) for row in received],
        sent=[_sent(row, [_attempt(one, _is_detached(row)) for one in tries[row.id]]) for row in sent],
        refused=[refused_message(row) for row in refused],
    )


def _latest_refusals(connection: Connection, request_id: str) -> Sequence[Row[Any]]:
    newest_first = select(REFUSALS).where(REFUSALS.c.request_id == request_id).order_by(REFUSALS.c.id.desc())
    return connection.execute(newest_first.limit(_REFUSALS_SHOWN)).all()[::-1]


def _is_detached(row: Row[Any]) -> bool:
    """Tell whether the signatures of a message and its ack stand beside their bodies."""
    message = find_message(row.message)
    return message is not None and message.version == V4.name


def _attempt(row: Row[Any], is_detached: bool) -> Attempt:
    return Attempt(
        started_at=row.started_at,
        milliseconds=row.milliseconds,
        trace_id=row.trace_id,
        kid=row.kid,
        outcome=row.outcome,
        status=row.status,
        reason=row.reason,
        sent=SignedTextView.of(row.sent, row.signature, is_detached=is_detached),
        answer=SignedTextView.of(row.answer, row.answer_signature, is_detached=is_detached) if row.answer else None,
        verification=VerificationStep.all_of(row.steps),
    )


def _received(row: Row[Any]) -> ReceivedMessage:
    is_detached = _is_detached(row)
    text = SignedTextView.of(row.raw, row.signature, is_detached=is_detached)
    return ReceivedMessage(
        id=row.id,
        message=row.message,
        peer=row.sender,
        at=row.received_at,
        trace_id=row.trace_id,
        kid=row.kid,
        certificate=row.certificate,
        address=row.address,
        verification=VerificationStep.all_of(row.steps),
        envelope=text.envelope,
        signature=text.signature,
        decoded=text.decoded,
        ack=SignedTextView.of(row.ack, row.ack_signature, is_detached=is_detached),
    )


def _sent(row: Row[Any], attempts: list[Attempt]) -> SentMessage:
    return SentMessage(
        id=row.id,
        message=row.message,
        peer=row.receiver,
        at=row.created_at,
        state=row.state,
        tries=row.tries,
        due_at=row.due_at,
        result=row.result,
        content=json.loads(row.content),
        attempts=attempts,
    )


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
        verification=VerificationStep.all_of(row.steps),
        raw=row.raw.decode(errors="replace"),
        signature=row.signature,
    )
