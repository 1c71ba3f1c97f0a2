"""Stores which keys the registry has listed for whom, and when: signatures must be provable long afterwards.

The registry itself has only the present keys. Of our own keys the register knows more than the registry.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from shared.node.onboarding.history import KeyEvent, KeyHistory
from shared.node.tables import REGISTRY_KEYS
from shared.protocol.encoding import format_timestamp
from shared.protocol.participants import KeyStatus, Participant
from shared.protocol.profiles import V4
from shared.storage.upserts import upsert

_BEFORE: Final = timedelta(seconds=30)
"""A message may come in so long before the end of the look-up that it leads to."""


@dataclass(frozen=True, slots=True)
class LookedUpKey(KeyHistory):
    """A key that the registry has named; it counts from its first look-up on, and nobody says when it ceased to."""

    def status_at(self, moment: datetime) -> KeyStatus | None:
        """Return ACTIVE from the first look-up on, at an aware moment."""
        return KeyStatus.ACTIVE if self.events[0].at - _BEFORE <= moment else None


def note_keys(connection: Connection, participant: Participant, now: datetime) -> None:
    """Write down that the registry names these keys for a participant at an aware moment."""
    rows = [
        {
            "participant_id": participant.id,
            "kid": key.kid,
            "thumbprint": key.verifier.thumbprint(),
            "pem": key.verifier.to_pem(),
            "first_seen": now,
            "last_seen": now,
        }
        for key in participant.keys
    ]
    connection.execute(upsert(REGISTRY_KEYS, connection.dialect.name, "last_seen"), rows)


def looked_up_keys(connection: Connection, participant_id: str) -> list[LookedUpKey]:
    """Return every key that the registry has named for a participant, the latest first."""
    theirs = select(REGISTRY_KEYS).where(REGISTRY_KEYS.c.participant_id == participant_id)
    rows = connection.execute(theirs.order_by(REGISTRY_KEYS.c.first_seen.desc(), REGISTRY_KEYS.c.kid)).all()
    return [LookedUpKey(row.kid, V4.algorithm, row.pem, row.thumbprint, [_event(row)]) for row in rows]


def _event(row: Any) -> KeyEvent:
    reason = f"named by the registry, until {format_timestamp(row.last_seen)} at least"
    return KeyEvent(row.first_seen, KeyStatus.ACTIVE, reason)
