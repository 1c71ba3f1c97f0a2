"""The register of participants in the tables: who they are, and the life of their keys and certificates.

Everything that changes a participant is one thing here: a record that takes the place of the former one. What the
difference means for a key or a certificate is written down with its time and its reason, and nothing of it is deleted,
for the evidence of old messages. Every function belongs to an open transaction.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError
from sqlalchemy import Connection, Row, Select, func, insert, select, update

from shared.node.onboarding.certificates import seems_to_issue
from shared.node.onboarding.record import (
    KeyRecord,
    OnboardingError,
    ParticipantRecord,
    TakenError,
    UnknownError,
    first_flaw,
    key_thumbprint,
    leaf_of,
    participant_of,
    retired,
    thumbprint_of,
)
from shared.node.tables import KEY_EVENTS, PARTICIPANT_CERTIFICATES, PARTICIPANT_KEYS, PARTICIPANTS
from shared.protocol.participants import KeyStatus
from shared.storage.schema import take_turns

Keys = Mapping[str, KeyRecord]


def load_records(connection: Connection) -> list[ParticipantRecord]:
    """Read all participants that are onboarded, in the order of their ids; certificates with the oldest first."""
    return _records(connection, select(PARTICIPANTS).order_by(PARTICIPANTS.c.organisation_id))


def load_record(connection: Connection, organisation_id: str) -> ParticipantRecord | None:
    """Read one participant, if it is onboarded."""
    found = _records(connection, select(PARTICIPANTS).where(PARTICIPANTS.c.organisation_id == organisation_id))
    return found[0] if found else None


def record_to_change(connection: Connection, organisation_id: str) -> ParticipantRecord:
    """Read one participant in order to change it: nobody else changes anything until this transaction ends.

    Raises:
        UnknownError: it is not onboarded.
    """
    take_turns(connection)
    record = load_record(connection, organisation_id)
    if record is None:
        raise UnknownError(f"{organisation_id} is not onboarded; GET /participants lists who is")
    return record


def blocked_kids(connection: Connection, organisation_id: str) -> frozenset[str]:
    """Return the kids of a participant's keys that never count again, whether it is onboarded or not."""
    theirs = PARTICIPANT_KEYS.c.organisation_id == organisation_id
    blocked = select(PARTICIPANT_KEYS.c.kid).where(theirs, PARTICIPANT_KEYS.c.status == KeyStatus.BLOCKED)
    return frozenset(connection.execute(blocked).scalars())


def removed_certificates(connection: Connection) -> frozenset[str]:
    """Return the thumbprints of TLS certificates that were registered once, and by nobody now."""
    removed = PARTICIPANT_CERTIFICATES.c.removed_at
    rows = connection.execute(select(PARTICIPANT_CERTIFICATES.c.thumbprint, removed.is_(None).label("counts"))).all()
    return frozenset(row.thumbprint for row in rows) - {row.thumbprint for row in rows if row.counts}


def save_record(connection: Connection, record: ParticipantRecord, now: datetime, reason: str = "") -> None:
    """Write a participant in place of what is known under its organisation id; `now` is aware.

    A key that the record leaves out is retired; one that was blocked stays blocked, whatever the record says of it.
    `reason` is kept with every change.

    Raises:
        OnboardingError: the record cannot be used.
        TakenError: a kid, a key or a certificate is another participant's, or a kid has been used for another key, or
            a key under another kid.
    """
    take_turns(connection)
    participant_of(record)
    former = _keys_of(connection, [record.organisation_id]).get(record.organisation_id, {})
    if not former and not any(key.status.counts for key in record.keys):
        raise OnboardingError(f"{record.organisation_id}: keys: 0 that count; configure one or two")
    record = _readable(_with_former_keys(record, former))
    participant_of(record)  # again, for the former keys count as well
    _refuse_what_others_have(connection, record)
    changed_at = _later_than_any_change(connection, now)
    _write_participant(connection, record, changed_at)
    _write_keys(connection, record, former, changed_at, reason)
    _write_certificates(connection, record, changed_at, reason)


def offboard(connection: Connection, organisation_id: str, now: datetime, reason: str) -> None:
    """End a participant's part in the network: its keys are retired, its certificates removed, its rows stay.

    Raises:
        UnknownError: there is no such participant now.
    """
    record = record_to_change(connection, organisation_id)
    changed_at = _later_than_any_change(connection, now)
    former = {key.kid: key for key in record.keys}
    ended = record.model_copy(update={"keys": [retired(key) for key in record.keys], "tls_certificates": []})
    _write_keys(connection, ended, former, changed_at, reason)
    _write_certificates(connection, ended, changed_at, reason)
    values = {"offboarded_at": changed_at, "offboarded_because": reason, "updated_at": changed_at}
    connection.execute(update(PARTICIPANTS).where(PARTICIPANTS.c.organisation_id == organisation_id).values(values))


def _records(connection: Connection, wanted: Select[Any]) -> list[ParticipantRecord]:
    # Participants before keys: on PostgreSQL each statement sees its own moment, and none may seem to have no keys.
    rows = connection.execute(wanted.where(PARTICIPANTS.c.offboarded_at.is_(None))).all()
    ids = [row.organisation_id for row in rows]
    keys, certificates = _keys_of(connection, ids), _certificates_of(connection, ids)
    return [
        _record(row, keys[row.organisation_id], certificates[row.organisation_id])
        for row in rows
        if row.organisation_id in keys and row.organisation_id in certificates
    ]


def _record(row: Row[Any], keys: Keys, certificates: list[str]) -> ParticipantRecord:
    known = {name: value for name, value in row._mapping.items() if name in ParticipantRecord.model_fields}
    lists = {"ip_addresses": json.loads(row.ip_addresses), "tls_certificates": certificates, "keys": [*keys.values()]}
    return ParticipantRecord(**(known | lists))


def _keys_of(connection: Connection, organisation_ids: list[str]) -> dict[str, dict[str, KeyRecord]]:
    keys: dict[str, dict[str, KeyRecord]] = {}
    theirs = PARTICIPANT_KEYS.c.organisation_id.in_(organisation_ids)
    for row in connection.execute(select(PARTICIPANT_KEYS).where(theirs).order_by(PARTICIPANT_KEYS.c.kid)):
        key = KeyRecord(kid=row.kid, algorithm=row.algorithm, status=row.status, pem=row.pem)
        keys.setdefault(row.organisation_id, {})[row.kid] = key
    return keys


def _certificates_of(connection: Connection, organisation_ids: list[str]) -> dict[str, list[str]]:
    table, certificates = PARTICIPANT_CERTIFICATES, dict[str, list[str]]()
    theirs = select(table).where(table.c.organisation_id.in_(organisation_ids), table.c.removed_at.is_(None))
    for row in connection.execute(theirs.order_by(table.c.registered_at, table.c.thumbprint)):
        certificates.setdefault(row.organisation_id, []).append(row.pem)
    return certificates


def _with_former_keys(record: ParticipantRecord, former: Keys) -> ParticipantRecord:
    """Add the keys that the record leaves out, retired, and leave none unblocked that was blocked."""
    stated = {key.kid: key for key in record.keys}
    kids = {key_thumbprint(key): key.kid for key in record.keys}
    for kid, key in former.items():
        if kid not in stated:
            if alias := kids.get(key_thumbprint(key)):
                raise TakenError(
                    f"{record.organisation_id}: keys: the key of kid {alias} is known as {kid} ({key.status}); "
                    "a key keeps its kid for ever: make a new key pair"
                )
            stated[kid] = retired(key)
            continue
        if key_thumbprint(stated[kid]) != key_thumbprint(key):
            raise TakenError(
                f"{record.organisation_id}: keys: kid {kid} has been used for another key ({key.status}); "
                "a kid keeps its key for ever: give the new key a new kid"
            )
        if key.status is KeyStatus.BLOCKED:
            stated[kid] = key
    return record.model_copy(update={"keys": list(stated.values())})


def _readable(record: ParticipantRecord) -> ParticipantRecord:
    """Return a record as it will be read: one that nobody can read again would hold up everything, at every start."""
    try:
        return ParticipantRecord.model_validate(record.model_dump())
    except ValidationError as error:
        raise OnboardingError(f"{record.organisation_id}: {first_flaw(error)}; give another value") from error


def _refuse_what_others_have(connection: Connection, record: ParticipantRecord) -> None:
    own, keys, certificates = record.organisation_id, PARTICIPANT_KEYS.c, PARTICIPANT_CERTIFICATES.c
    foreign = select(PARTICIPANT_KEYS).where(keys.organisation_id != own)
    taken = connection.execute(foreign.where(keys.kid.in_([key.kid for key in record.keys]))).first()
    if taken is not None:
        raise TakenError(f"{own}: keys: kid {taken.kid} is taken; make a new one, a UUID for example")
    shared = connection.execute(
        foreign.where(keys.thumbprint.in_([key_thumbprint(key) for key in record.keys]))
    ).first()
    if shared is not None:
        raise TakenError(f"{own}: keys: a key is another participant's too; make a key pair that nobody else has")
    registered = certificates.thumbprint.in_([thumbprint_of(pem) for pem in record.tls_certificates])
    elsewhere = select(certificates.thumbprint).where(certificates.organisation_id != own, registered)
    if connection.execute(elsewhere.where(certificates.removed_at.is_(None))).first() is not None:
        raise TakenError(f"{own}: tls_certificates: registered for another participant; give your own")
    _refuse_what_would_shadow(connection, record)


def _refuse_what_would_shadow(connection: Connection, record: ParticipantRecord) -> None:
    table, leaves = PARTICIPANT_CERTIFICATES, [leaf_of(pem) for pem in record.tls_certificates]
    others = select(table.c.organisation_id, table.c.pem).where(table.c.organisation_id != record.organisation_id)
    for other in connection.execute(others.where(table.c.removed_at.is_(None))):
        theirs = leaf_of(other.pem)
        if any(seems_to_issue(leaf, theirs) or seems_to_issue(theirs, leaf) for leaf in leaves):
            found = f"by their names one of these and one of {other.organisation_id} seem to be issuer and issued"
            raise TakenError(f"{record.organisation_id}: tls_certificates: {found}; give one with another subject")


def _later_than_any_change(connection: Connection, now: datetime) -> datetime:
    # `Directory.refresh` goes by this time: a clock that stands still or lags behind another's must not hide a change.
    latest: datetime | None = connection.execute(select(func.max(PARTICIPANTS.c.updated_at))).scalar()
    return now if latest is None else max(now, latest + timedelta(microseconds=1))


def _write_participant(connection: Connection, record: ParticipantRecord, changed_at: datetime) -> None:
    row = record.model_dump(mode="json", exclude={"keys", "tls_certificates"})
    row |= {"ip_addresses": json.dumps(record.ip_addresses), "offboarded_at": None, "offboarded_because": ""}
    row |= {"updated_at": changed_at}
    one = PARTICIPANTS.c.organisation_id == record.organisation_id
    is_back = PARTICIPANTS.c.offboarded_at.is_not(None)
    connection.execute(update(PARTICIPANTS).where(one, is_back).values(onboarded_at=changed_at))
    if not connection.execute(update(PARTICIPANTS).where(one).values(row)).rowcount:
        connection.execute(insert(PARTICIPANTS), [{**row, "onboarded_at": changed_at}])


def _write_keys(
    connection: Connection, record: ParticipantRecord, former: Keys, changed_at: datetime, reason: str
) -> None:
    for key in record.keys:
        before = former.get(key.kid)
        if before is not None and before.status is key.status:
            continue
        if before is None:
            row = key.model_dump(mode="json") | {"thumbprint": key_thumbprint(key)}
            connection.execute(insert(PARTICIPANT_KEYS), [{**row, "organisation_id": record.organisation_id}])
        else:
            one = update(PARTICIPANT_KEYS).where(PARTICIPANT_KEYS.c.kid == key.kid)
            connection.execute(one.values(status=key.status.value))
        event = {"kid": key.kid, "at": changed_at, "status": key.status.value, "reason": reason}
        connection.execute(insert(KEY_EVENTS), [event])


def _write_certificates(connection: Connection, record: ParticipantRecord, changed_at: datetime, reason: str) -> None:
    table, own = PARTICIPANT_CERTIFICATES, PARTICIPANT_CERTIFICATES.c.organisation_id == record.organisation_id
    stated = {thumbprint_of(pem): leaf_of(pem).public_bytes(Encoding.PEM).decode() for pem in record.tls_certificates}
    known = set(connection.execute(select(table.c.thumbprint).where(own, table.c.removed_at.is_(None))).scalars())
    for gone in known - stated.keys():
        removed = update(table).where(own, table.c.thumbprint == gone, table.c.removed_at.is_(None))
        connection.execute(removed.values(removed_at=changed_at, removed_because=reason))
    new = [
        {
            "organisation_id": record.organisation_id,
            "thumbprint": one,
            "registered_at": changed_at,
            "removed_because": "",
            "pem": pem,
        }
        for one, pem in stated.items()
        if one not in known
    ]
    if new:
        connection.execute(insert(table), new)
