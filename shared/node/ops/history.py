"""Reading one message's history: what travelled under a requestId, byte for byte, and what each check found."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from shared.catalogue.table import BY_NAME
from shared.node.ops.ledger_views import (
    Attempt,
    MessageHistory,
    ReceivedMessage,
    RefusedMessage,
    SentMessage,
    SignedText,
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
    message = BY_NAME.get(row.message)
    return message is not None and message.version == V4.name


def _attempt(row: Row[Any], is_detached: bool) -> Attempt:
    return Attempt.model_validate(
        {
            **row._mapping,
            "sent": SignedText.of(row.sent, row.signature, is_detached=is_detached),
            "answer": SignedText.of(row.answer, row.answer_signature, is_detached=is_detached) if row.answer else None,
            "verification": VerificationStep.all_of(row.steps),
        }
    )


def _received(row: Row[Any]) -> ReceivedMessage:
    is_detached = _is_detached(row)
    return ReceivedMessage.model_validate(
        {
            **row._mapping,
            **dict(SignedText.of(row.raw, row.signature, is_detached=is_detached)),
            "peer": row.sender,
            "at": row.received_at,
            "verification": VerificationStep.all_of(row.steps),
            "ack": SignedText.of(row.ack, row.ack_signature, is_detached=is_detached),
        }
    )


def _sent(row: Row[Any], attempts: list[Attempt]) -> SentMessage:
    more = {"peer": row.receiver, "at": row.created_at, "content": json.loads(row.content), "attempts": attempts}
    return SentMessage.model_validate({**row._mapping, **more})


def refused_message(row: Row[Any]) -> RefusedMessage:
    """Show a row of the refusals."""
    return RefusedMessage.model_validate(
        {
            **row._mapping,
            "at": row.received_at,
            "meaning": next((problem.meaning for problem in Problem if problem.code == row.error), ""),
            "verification": VerificationStep.all_of(row.steps),
            "raw": row.raw.decode(errors="replace"),
        }
    )
