"""What the register remembers of a participant: every key and certificate it ever had, and when each counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from shared.node.tables import KEY_EVENTS, PARTICIPANT_CERTIFICATES, PARTICIPANT_KEYS, PARTICIPANTS
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
    """One verification key, in PEM, and what became of it; the events are in the order of time."""

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
    onboarded_at: datetime
    offboarded_at: datetime | None
    offboarded_because: str
    keys: Sequence[KeyHistory]
    certificates: Sequence[CertificateHistory]


def load_history(connection: Connection, organisation_id: str) -> ParticipantHistory | None:
    """Read all that the register remembers of a participant; None if it has never been onboarded."""
    one = select(PARTICIPANTS).where(PARTICIPANTS.c.organisation_id == organisation_id)
    row = connection.execute(one).first()
    if row is None:
        return None
    return ParticipantHistory(
        organisation_id=row.organisation_id,
        name=row.name,
        role=Role(row.role),
        onboarded_at=row.onboarded_at,
        offboarded_at=row.offboarded_at,
        offboarded_because=row.offboarded_because,
        keys=_keys(connection, organisation_id),
        certificates=_certificates(connection, organisation_id),
    )


def _keys(connection: Connection, organisation_id: str) -> list[KeyHistory]:
    theirs = PARTICIPANT_KEYS.c.organisation_id == organisation_id
    rows = connection.execute(select(PARTICIPANT_KEYS).where(theirs)).all()
    events: dict[str, list[KeyEvent]] = {row.kid: [] for row in rows}
    known = select(KEY_EVENTS).where(KEY_EVENTS.c.kid.in_(events)).order_by(KEY_EVENTS.c.at)
    for event in connection.execute(known):
        events[event.kid].append(KeyEvent(event.at, KeyStatus(event.status), event.reason))
    keys = [KeyHistory(row.kid, row.algorithm, row.pem, row.thumbprint, tuple(events[row.kid])) for row in rows]
    return sorted(keys, key=_place)


def _place(key: KeyHistory) -> tuple[list[tuple[datetime, int]], str]:
    """By when it became known, ACTIVE first; a key whose events are gone comes before all others."""
    return [(event.at, _RANKS.index(event.status)) for event in key.events[:1]], key.kid


def _certificates(connection: Connection, organisation_id: str) -> list[CertificateHistory]:
    table = PARTICIPANT_CERTIFICATES
    theirs = select(table).where(table.c.organisation_id == organisation_id)
    rows = connection.execute(theirs.order_by(table.c.registered_at, table.c.thumbprint))
    return [
        CertificateHistory(row.thumbprint, row.pem, row.registered_at, row.removed_at, row.removed_because)
        for row in rows
    ]
