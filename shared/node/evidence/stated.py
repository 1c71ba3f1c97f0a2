"""What a node states of an exchange and nobody has signed: its rows, but for bytes, which are files of the bundle."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, select

from shared.node import tables
from shared.protocol.encoding import format_timestamp

Rows = Mapping[str, list[dict[str, Any]]]

_ELSEWHERE: Final = {"content", "pem"}
"""As bytes are: the content inside what was signed, keys and certificates in files of their own."""


def stated_rows(connection: Connection, request_id: str, signers: Collection[str]) -> Rows:
    """Return by table the rows about a requestId, and about the keys and certificates of who signed; times as texts."""
    sent, received, keys = tables.OUTBOX.c, tables.INBOX.c, tables.PARTICIPANT_KEYS.c
    under_it = select(sent.id).where(sent.request_id == request_id)
    their_kids = select(keys.kid).where(keys.organisation_id.in_(signers))
    conditions: dict[Table, ColumnElement[bool]] = {
        tables.INBOX: received.request_id == request_id,
        tables.OUTBOX: sent.request_id == request_id,
        tables.ATTEMPTS: tables.ATTEMPTS.c.outbox_id.in_(under_it),
        tables.PARTICIPANT_KEYS: keys.organisation_id.in_(signers),
        tables.KEY_EVENTS: tables.KEY_EVENTS.c.kid.in_(their_kids),
        tables.PARTICIPANT_CERTIFICATES: tables.PARTICIPANT_CERTIFICATES.c.organisation_id.in_(signers),
        tables.REGISTRY_KEYS: tables.REGISTRY_KEYS.c.participant_id.in_(signers),
    }
    return {table.name: _rows(connection, table, condition) for table, condition in conditions.items()}


def _rows(connection: Connection, table: Table, condition: ColumnElement[bool]) -> list[dict[str, Any]]:
    columns = [column for column in table.c if column.type.python_type is not bytes and column.name not in _ELSEWHERE]
    rows = connection.execute(select(*columns).where(condition).order_by(*table.primary_key.columns)).mappings()
    return [
        {name: format_timestamp(value) if isinstance(value, datetime) else value for name, value in row.items()}
        for row in rows
    ]
