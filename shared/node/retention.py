"""Deleting messages by age (OCEN_KEEP_DAYS). What is left of each is enough to know its requestId again (P32)."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, null, select

from shared.catalogue.table import CATALOGUE, find_message
from shared.node.decisions import send_id, undelivered_id
from shared.node.send.outbox import OutboxState
from shared.node.tables import ATTEMPTS, DELETED_MESSAGES, INBOX, OUTBOX, REFUSALS, TIMERS
from shared.storage.schema import take_turns
from shared.storage.slices import SLICE

EXCHANGES: Final = 100
"""The messages under at most so many requestIds are deleted in one transaction: about 2 MB, 20 ms."""

_SENT: Final = select(OUTBOX.c.id, OUTBOX.c.request_id, OUTBOX.c.state, OUTBOX.c.due_at)
_RECEIVED: Final = select(INBOX.c.request_id, INBOX.c.sender, INBOX.c.message, INBOX.c.received_at)
_UNFINISHED: Final = (OutboxState.WAITING, OutboxState.SENDING)


def old_refusals(before: datetime) -> ColumnElement[bool]:
    """Return the condition of refusals from before an aware moment, among the oldest SLICE: there is no index."""
    oldest = select(REFUSALS.c.id).order_by(REFUSALS.c.id).limit(SLICE)
    return and_(REFUSALS.c.id.in_(oldest), REFUSALS.c.received_at < before)


def delete_exchanges(connection: Connection, table: Table, before: datetime, after: str) -> tuple[int, str]:
    """Delete exchanges, from the oldest row of `table` (inbox or outbox) on whose id follows `after`.

    All that travelled under one requestId goes together, once the last of it is finished and from before an aware
    moment. Return how many messages went, and the last id that was looked at; it is empty where no row is old.
    """
    take_turns(connection)
    made_at = INBOX.c.received_at if table is INBOX else OUTBOX.c.created_at
    oldest = select(table.c.id, table.c.request_id, made_at.label("made_at")).where(table.c.id > after)
    rows = connection.execute(oldest.order_by(table.c.id).limit(EXCHANGES)).all()
    old = [row for row in rows if row.made_at < before]
    if not old:
        return 0, ""
    request_ids = {row.request_id for row in old}
    return _delete(connection, request_ids - _needed(connection, request_ids, before)), old[-1].id


def _needed(connection: Connection, request_ids: Collection[str], before: datetime) -> set[str]:
    """Return those of the requestIds under which something is unfinished, or was received or finished later.

    Unfinished is also an answer that is to be sent later, and a delivery that was given up until its rule knows.
    """
    # Locked: a re-drive at the same moment comes wholly before this, or finds nothing.
    sent = connection.execute(_SENT.where(OUTBOX.c.request_id.in_(request_ids)).with_for_update()).all()
    received = connection.execute(_RECEIVED.where(INBOX.c.request_id.in_(request_ids))).all()
    timers = {undelivered_id(row.id): row.request_id for row in sent}
    timers |= {
        send_id(row.sender, answer.full_name, row.request_id): row.request_id
        for row in received
        for answer in CATALOGUE
        if answer.answers is find_message(row.message)
    }
    waiting = connection.scalars(select(TIMERS.c.id).where(TIMERS.c.id.in_(timers)))
    return {
        *(row.request_id for row in sent if row.state in _UNFINISHED or row.due_at >= before),
        *(row.request_id for row in received if row.received_at >= before),
        *(timers[id_] for id_ in waiting),
    }


def _delete(connection: Connection, request_ids: Collection[str]) -> int:
    if not request_ids:
        return 0
    number = 0
    sent = select(OUTBOX.c.id).where(OUTBOX.c.request_id.in_(request_ids))
    connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.outbox_id.in_(sent)))
    for table, peer, digest in (
        (OUTBOX, OUTBOX.c.receiver, null()),
        (INBOX, INBOX.c.sender, INBOX.c.content_digest),
    ):
        under_them = table.c.request_id.in_(request_ids)
        left = select(table.c.request_id, peer, table.c.message, digest).where(under_them)
        connection.execute(insert(DELETED_MESSAGES).from_select(list(DELETED_MESSAGES.c), left))
        number += connection.execute(delete(table).where(under_them)).rowcount
    return number
