"""The directory of counterparties: who they are, by organisation id, by kid and by TLS certificate.

Every look-up is answered from a snapshot in memory; `refresh` brings it up to date with the participants table, which
several processes may share.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from shared.node.onboarded import KeyRecord, OnboardingError, ParticipantRecord, participant_of
from shared.node.store.tables import PARTICIPANT_KEYS, PARTICIPANTS, take_turns
from shared.protocol.participants import KeyStatus, Participant


class Directory:
    """The participants that we know."""

    def __init__(self) -> None:
        self._by_id: dict[str, Participant] = {}
        self._by_kid: dict[str, Participant] = {}
        self._by_certificate: dict[str, Participant] = {}
        self._revision: tuple[int, datetime | None] | None = None

    def participants(self) -> Sequence[Participant]:
        """Return all participants in the order of their ids."""
        return [self._by_id[organisation_id] for organisation_id in sorted(self._by_id)]

    def participant(self, organisation_id: str) -> Participant | None:
        """Return the participant of that organisation id."""
        return self._by_id.get(organisation_id)

    async def holder(self, kid: str) -> Participant | None:
        """Return the participant that holds the key of that kid, blocked keys included.

        A coroutine, because a directory may have to ask a registry; this one never waits.
        """
        return self._by_kid.get(kid)

    def owner(self, certificate: str) -> Participant | None:
        """Return the participant that has registered a certificate of that thumbprint."""
        return self._by_certificate.get(certificate)

    def replace(self, participants: Iterable[Participant]) -> None:
        """Know exactly these participants from now on."""
        known = list(participants)
        self._by_id = {one.organisation_id: one for one in known}
        self._by_kid = {key.kid: one for one in known for key in one.keys}
        self._by_certificate = {certificate: one for one in known for certificate in one.certificates}

    def refresh(self, connection: Connection) -> bool:
        """Read the participants again if somebody has changed them; tell whether that was so."""
        revision = connection.execute(select(func.count(), func.max(PARTICIPANTS.c.updated_at))).one()
        if tuple(revision) == self._revision:
            return False
        self.replace(participant_of(record) for record in load_records(connection))
        self._revision = (revision[0], revision[1])
        return True


def load_records(connection: Connection) -> list[ParticipantRecord]:
    """Read all participants from the tables."""
    # Participants before keys: on PostgreSQL each statement sees its own moment, and none may seem to have no keys.
    rows = connection.execute(select(PARTICIPANTS).order_by(PARTICIPANTS.c.organisation_id)).all()
    keys: dict[str, list[KeyRecord]] = {}
    for row in connection.execute(select(PARTICIPANT_KEYS).order_by(PARTICIPANT_KEYS.c.kid)):
        key = KeyRecord(kid=row.kid, algorithm=row.algorithm, status=row.status, pem=row.pem)
        keys.setdefault(row.organisation_id, []).append(key)
    return [
        ParticipantRecord(
            organisation_id=row.organisation_id,
            name=row.name,
            role=row.role,
            base_url=row.base_url,
            envelope_member=row.envelope_member,
            ip_addresses=json.loads(row.ip_addresses),
            tls_certificates=json.loads(row.tls_certificates),
            keys=keys.get(row.organisation_id, []),
        )
        for row in rows
    ]


def save_record(connection: Connection, record: ParticipantRecord, now: datetime) -> None:
    """Write a participant into the tables in place of what stood there under its organisation id.

    A key that was blocked there stays, and stays blocked, whatever the record says of it.

    Raises:
        OnboardingError: the record cannot be used, or a kid or a certificate belongs to another participant already.
    """
    take_turns(connection)
    record = _with_blocked_keys(connection, record)
    participant = participant_of(record)
    for other in map(participant_of, load_records(connection)):
        if other.organisation_id == record.organisation_id:
            continue
        if shared := {key.kid for key in participant.keys} & {key.kid for key in other.keys}:
            raise OnboardingError(f"{record.organisation_id}: keys: kid {min(shared)} is taken; make a new one")
        if participant.certificates & other.certificates:
            raise OnboardingError(f"{record.organisation_id}: tls_certificates: registered for another participant")
    changed_at = _later_than_any_change(connection, now)
    for table in (PARTICIPANT_KEYS, PARTICIPANTS):
        connection.execute(delete(table).where(table.c.organisation_id == record.organisation_id))
    connection.execute(insert(PARTICIPANTS), [_row(record, changed_at)])
    owner = {"organisation_id": record.organisation_id}
    connection.execute(insert(PARTICIPANT_KEYS), [owner | key.model_dump(mode="json") for key in record.keys])


def _with_blocked_keys(connection: Connection, record: ParticipantRecord) -> ParticipantRecord:
    rows = connection.execute(
        select(PARTICIPANT_KEYS)
        .where(PARTICIPANT_KEYS.c.organisation_id == record.organisation_id)
        .where(PARTICIPANT_KEYS.c.status == KeyStatus.BLOCKED)
    )
    blocked = {row.kid: KeyRecord(kid=row.kid, algorithm=row.algorithm, status=row.status, pem=row.pem) for row in rows}
    kept = [key for key in record.keys if key.kid not in blocked]
    return record.model_copy(update={"keys": [*kept, *blocked.values()]})


def _later_than_any_change(connection: Connection, now: datetime) -> datetime:
    # `refresh` goes by this time: a clock that stands still or lags behind another's must not hide a change.
    latest: datetime | None = connection.execute(select(func.max(PARTICIPANTS.c.updated_at))).scalar()
    return now if latest is None else max(now, latest + timedelta(microseconds=1))


def _row(record: ParticipantRecord, changed_at: datetime) -> dict[str, object]:
    return {
        "organisation_id": record.organisation_id,
        "name": record.name,
        "role": record.role.value,
        "base_url": record.base_url,
        "envelope_member": record.envelope_member.value,
        "ip_addresses": json.dumps(record.ip_addresses),
        "tls_certificates": json.dumps(record.tls_certificates),
        "updated_at": changed_at,
    }
