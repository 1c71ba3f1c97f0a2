"""The rows of the journal under one requestId."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from shared.node.tables import ATTEMPTS


def rows_under(connection: Connection, table: Table, request_id: str) -> Sequence[Row[Any]]:
    """Return the rows of the inbox or the outbox under a requestId, in the order of their ids."""
    return connection.execute(select(table).where(table.c.request_id == request_id).order_by(table.c.id)).all()


def tries_of(connection: Connection, outbox_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Return every try to deliver these entries of the outbox, each entry's in the order of time."""
    tries: dict[str, list[Row[Any]]] = {outbox_id: [] for outbox_id in outbox_ids}
    tried = select(ATTEMPTS).where(ATTEMPTS.c.outbox_id.in_(outbox_ids)).order_by(ATTEMPTS.c.started_at)
    for row in connection.execute(tried):
        tries[row.outbox_id].append(row)
    return tries
