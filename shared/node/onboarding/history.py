"""What the register remembers of a participant: every key and certificate it ever had, and when each counted."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, select

from shared.node.onboarding.register_tables import RegisterTables
from shared.node.tables import NODE_REGISTER
from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus

_RANKS: Final = tuple(KeyStatus)
"""Of keys registered at the same time the ACTIVE one comes first."""


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """From `at` (aware, UTC) on the key has this status, for this reason."""

    at: datetime
    status: KeyStatus
    reason: str


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """One verification key, in PEM, and its statuses; the events are in the order of time."""

    kid: str
    algorithm: str
    pem: str
    thumbprint: str
    events: Sequence[KeyEvent]

    @property
    def status(self) -> KeyStatus:
        """The status that it has now."""
        return self.events[-1].status

    def status_at(self, moment: datetime) -> KeyStatus | None:
        """Return the status that it had at an aware moment; None before it was known."""
        earlier = [event.status for event in self.events if event.at <= moment]
        return earlier[-1] if earlier else None


@dataclass(frozen=True, slots=True)
class CertificateHistory:
    """One TLS certificate, in PEM, and from when to when (None: still) it was registered (aware, UTC)."""

    thumbprint: str
    pem: str
    registered_at: datetime
    removed_at: datetime | None
    removed_because: str

    def counts_at(self, moment: datetime) -> bool:
        """Tell whether it was registered at an aware moment."""
        return self.registered_at <= moment and (self.removed_at is None or moment < self.removed_at)


@dataclass(frozen=True, slots=True)
class ParticipantHistory:
    """A participant as the register remembers it, offboarded or not (times aware, UTC)."""

    organisation_id: str
    name: str
    role: Role
    base_url: str
    onboarded_at: datetime
    offboarded_at: datetime | None
    offboarded_because: str
    updated_at: datetime
    keys: Sequence[KeyHistory]
    certificates: Sequence[CertificateHistory]

    @property
    def counting_keys(self) -> list[KeyHistory]:
        """The keys that count now, the ACTIVE one first."""
        return sorted((key for key in self.keys if key.status.counts), key=lambda key: key.status.value)

    @property
    def current_certificates(self) -> list[CertificateHistory]:
        """The TLS certificates that are registered now."""
        return [certificate for certificate in self.certificates if certificate.removed_at is None]


def load_history(
    connection: Connection, organisation_id: str, tables: RegisterTables = NODE_REGISTER
) -> ParticipantHistory | None:
    """Read all that the register remembers of a participant; None if it has never been onboarded."""
    return next(iter(load_histories(connection, [organisation_id], tables)), None)


def load_histories(
    connection: Connection, ids: Sequence[str] | Select[Any], tables: RegisterTables
) -> list[ParticipantHistory]:
    """Read what the register remembers of participants, by as many queries for many of them as for one."""
    # Participants before keys: on PostgreSQL each statement sees its own moment, and none may seem to have no keys.
    known = select(tables.participants).where(tables.participants.c.organisation_id.in_(ids))
    rows = connection.execute(known).all()
    keys, certificates = _keys(connection, ids, tables), _certificates(connection, ids, tables.certificates)
    return [
        ParticipantHistory(
            organisation_id=row.organisation_id,
            name=row.name,
            role=Role(row.role),
            base_url=row.base_url,
            onboarded_at=row.onboarded_at,
            offboarded_at=row.offboarded_at,
            offboarded_because=row.offboarded_because,
            updated_at=row.updated_at,
            keys=sorted(keys[row.organisation_id], key=_place),
            certificates=certificates[row.organisation_id],
        )
        for row in rows
    ]


def _keys(
    connection: Connection, ids: Sequence[str] | Select[Any], tables: RegisterTables
) -> Mapping[str, list[KeyHistory]]:
    keys, changes = tables.keys, tables.key_events
    known = select(keys, changes.c.at, changes.c.status.label("became"), changes.c.reason).outerjoin_from(
        keys, changes, changes.c.kid == keys.c.kid
    )
    rows, events = {}, defaultdict[str, list[KeyEvent]](list)
    for row in connection.execute(known.where(keys.c.organisation_id.in_(ids)).order_by(changes.c.at)):
        rows[row.kid] = row
        if row.at is not None:
            events[row.kid].append(KeyEvent(row.at, KeyStatus(row.became), row.reason))
    theirs: defaultdict[str, list[KeyHistory]] = defaultdict(list)
    for row in rows.values():
        key = KeyHistory(row.kid, row.algorithm, row.pem, row.thumbprint, tuple(events[row.kid]))
        theirs[row.organisation_id].append(key)
    return theirs


def _place(key: KeyHistory) -> tuple[list[tuple[datetime, int]], str]:
    """By when it became known, ACTIVE first; a key whose events are gone comes before all others."""
    return [(event.at, _RANKS.index(event.status)) for event in key.events[:1]], key.kid


def _certificates(
    connection: Connection, ids: Sequence[str] | Select[Any], table: Table
) -> Mapping[str, list[CertificateHistory]]:
    theirs = select(table).where(table.c.organisation_id.in_(ids)).order_by(table.c.registered_at, table.c.thumbprint)
    certificates: defaultdict[str, list[CertificateHistory]] = defaultdict(list)
    for row in connection.execute(theirs):
        found = CertificateHistory(row.thumbprint, row.pem, row.registered_at, row.removed_at, row.removed_because)
        certificates[row.organisation_id].append(found)
    return certificates
