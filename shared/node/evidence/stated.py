"""What a node states of an exchange and nobody has signed: its rows, but for bytes, which are files of the bundle."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, select

from shared.node.tables import (
    ATTEMPTS,
    INBOX,
    KEY_EVENTS,
    OUTBOX,
    PARTICIPANT_CERTIFICATES,
    PARTICIPANT_KEYS,
    REGISTRY_KEYS,
)
from shared.protocol.encoding import format_timestamp

Rows = Mapping[str, list[dict[str, Any]]]

_SIGNED_ELSEWHERE: Final = {
    OUTBOX.c.content,
    PARTICIPANT_KEYS.c.pem,
    PARTICIPANT_CERTIFICATES.c.pem,
    REGISTRY_KEYS.c.pem,
}
"""As bytes are: the content inside what was signed, keys and certificates in files of their own."""


def stated_rows(connection: Connection, request_id: str, signers: Collection[str]) -> Rows:
    """Return by table the rows about a requestId, and about the keys and certificates of who signed; times as texts."""
    sent = select(OUTBOX.c.id).where(OUTBOX.c.request_id == request_id)
    their_kids = select(PARTICIPANT_KEYS.c.kid).where(PARTICIPANT_KEYS.c.organisation_id.in_(signers))
    conditions: dict[Table, ColumnElement[bool]] = {
        INBOX: INBOX.c.request_id == request_id,
        OUTBOX: OUTBOX.c.request_id == request_id,
        ATTEMPTS: ATTEMPTS.c.outbox_id.in_(sent),
        PARTICIPANT_KEYS: PARTICIPANT_KEYS.c.organisation_id.in_(signers),
        KEY_EVENTS: KEY_EVENTS.c.kid.in_(their_kids),
        PARTICIPANT_CERTIFICATES: PARTICIPANT_CERTIFICATES.c.organisation_id.in_(signers),
        REGISTRY_KEYS: REGISTRY_KEYS.c.participant_id.in_(signers),
    }
    return {table.name: _rows(connection, table, condition) for table, condition in conditions.items()}


def _rows(connection: Connection, table: Table, condition: ColumnElement[bool]) -> list[dict[str, Any]]:
    columns = [one for one in table.c if one.type.python_type is not bytes and one not in _SIGNED_ELSEWHERE]
    rows = connection.execute(select(*columns).where(condition).order_by(*table.primary_key.columns))
    return [{name: _plain(value) for name, value in row._mapping.items()} for row in rows]


def _plain(value: Any) -> Any:
    return format_timestamp(value) if isinstance(value, datetime) else value
