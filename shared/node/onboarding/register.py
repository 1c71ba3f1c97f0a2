"""The register of participants in the tables: who they are, and the life of their keys and certificates.

Everything that changes a participant is one thing here: a record that takes the place of the former one. What the
difference means for a key or a certificate is written down with its time and its reason, and nothing of it is deleted,
for the evidence of old messages. Every function belongs to an open transaction.

A node keeps one for its counterparties; the registry of OCEN 4.0 keeps its own, in tables of its own.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError
from sqlalchemy import Connection, Row, Select, func, insert, select, update

from shared.node.onboarding.conflicts import refuse_what_others_have
from shared.node.onboarding.record import (
    KeyRecord,
    OnboardingError,
    ParticipantRecord,
    TakenError,
    UnknownError,
    first_error,
    key_thumbprint,
    leaf_of,
    participant_of,
    retired,
    thumbprint_of,
)
from shared.node.onboarding.register_tables import RegisterTables
from shared.node.tables import NODE_REGISTER
from shared.protocol.participants import KeyStatus
from shared.storage.schema import take_turns

Keys = Mapping[str, KeyRecord]

Why = tuple[datetime, str]
"""When and why something changes."""


def load_records(connection: Connection, tables: RegisterTables = NODE_REGISTER) -> list[ParticipantRecord]:
    """Read all participants that are onboarded, in the order of their ids; certificates with the oldest first."""
    everybody = select(tables.participants).order_by(tables.participants.c.organisation_id)
    return _records(connection, everybody, tables)


def load_record(
    connection: Connection, organisation_id: str, tables: RegisterTables = NODE_REGISTER
) -> ParticipantRecord | None:
    """Read one participant, if it is onboarded."""
    participants = tables.participants
    query = select(participants).where(participants.c.organisation_id == organisation_id)
    found = _records(connection, query, tables)
    return found[0] if found else None


def record_to_change(
    connection: Connection, organisation_id: str, tables: RegisterTables = NODE_REGISTER
) -> ParticipantRecord:
    """Read one participant in order to change it: nobody else changes anything until this transaction ends.

    Raises:
        UnknownError: it is not onboarded.
    """
    take_turns(connection)
    record = load_record(connection, organisation_id, tables)
    if record is None:
        raise UnknownError(f"{organisation_id} is not onboarded; GET /participants lists who is")
    return record


def blocked_kids(connection: Connection, organisation_id: str) -> frozenset[str]:
    """Return the kids of a participant's keys that never count again, whether it is onboarded or not."""
    theirs = NODE_REGISTER.keys.c.organisation_id == organisation_id
    blocked = select(NODE_REGISTER.keys.c.kid).where(theirs, NODE_REGISTER.keys.c.status == KeyStatus.BLOCKED)
    return frozenset(connection.execute(blocked).scalars())


def removed_certificates(connection: Connection) -> frozenset[str]:
    """Return the thumbprints of TLS certificates that were registered once, and by nobody now."""
    removed = NODE_REGISTER.certificates.c.removed_at
    rows = connection.execute(select(NODE_REGISTER.certificates.c.thumbprint, removed.is_(None).label("counts"))).all()
    return frozenset(row.thumbprint for row in rows) - {row.thumbprint for row in rows if row.counts}


def save_record(
    connection: Connection,
    record: ParticipantRecord,
    now: datetime,
    reason: str = "",
    *,
    tables: RegisterTables = NODE_REGISTER,
    family: Sequence[str] = (),
) -> None:
    """Write a participant in place of what is known under its organisation id; `now` is aware.

    A key that the record leaves out is retired; one that was blocked stays blocked, whatever the record says of it.
    `reason` is kept with every change. With those of `family`, by their ids, it may share certificates.

    Raises:
        OnboardingError: the record cannot be used.
        TakenError: a kid, a key or a certificate is another participant's, or a kid has been used for another key, or
            a key under another kid.
    """
    take_turns(connection)
    participant_of(record)
    former = _keys_of(connection, [record.organisation_id], tables).get(record.organisation_id, {})
    if not former and not any(key.status.counts for key in record.keys):
        raise OnboardingError(f"{record.organisation_id}: keys: 0 that count; configure one or two")
    record = _readable(_with_former_keys(record, former))
    participant_of(record)  # again, for the former keys count as well
    refuse_what_others_have(connection, record, tables, family)
    changed_at = _later_than_any_change(connection, now, tables)
    _write_participant(connection, record, changed_at, tables)
    _write_keys(connection, record, former, (changed_at, reason), tables)
    _write_certificates(connection, record, (changed_at, reason), tables)


def offboard(
    connection: Connection, organisation_id: str, now: datetime, reason: str, tables: RegisterTables = NODE_REGISTER
) -> None:
    """End a participant's part in the network: its keys are retired, its certificates removed, its rows stay.

    Raises:
        UnknownError: there is no such participant now.
    """
    record = record_to_change(connection, organisation_id, tables)
    changed_at = _later_than_any_change(connection, now, tables)
    former = {key.kid: key for key in record.keys}
    ended = record.model_copy(update={"keys": [retired(key) for key in record.keys], "tls_certificates": []})
    _write_keys(connection, ended, former, (changed_at, reason), tables)
    _write_certificates(connection, ended, (changed_at, reason), tables)
    values = {"offboarded_at": changed_at, "offboarded_because": reason, "updated_at": changed_at}
    _update(connection, organisation_id, values, tables)


def touch(connection: Connection, organisation_id: str, now: datetime, tables: RegisterTables = NODE_REGISTER) -> None:
    """Note that something kept elsewhere about a participant has changed."""
    _update(connection, organisation_id, {"updated_at": _later_than_any_change(connection, now, tables)}, tables)


def _update(connection: Connection, organisation_id: str, values: Mapping[str, Any], tables: RegisterTables) -> None:
    own = tables.participants.c.organisation_id == organisation_id
    connection.execute(update(tables.participants).where(own).values(values))


def _records(connection: Connection, wanted: Select[Any], tables: RegisterTables) -> list[ParticipantRecord]:
    # Participants before keys: on PostgreSQL each statement sees its own moment, and none may seem to have no keys.
    rows = connection.execute(wanted.where(tables.participants.c.offboarded_at.is_(None))).all()
    ids = [row.organisation_id for row in rows]
    keys, certificates = _keys_of(connection, ids, tables), _certificates_of(connection, ids, tables)
    return [
        _record(row, keys[row.organisation_id], certificates[row.organisation_id])
        for row in rows
        if row.organisation_id in keys and row.organisation_id in certificates
    ]


def _record(row: Row[Any], keys: Keys, certificates: list[str]) -> ParticipantRecord:
    known = {name: value for name, value in row._mapping.items() if name in ParticipantRecord.model_fields}
    lists = {"ip_addresses": json.loads(row.ip_addresses), "tls_certificates": certificates, "keys": [*keys.values()]}
    return ParticipantRecord(**(known | lists))


def _keys_of(
    connection: Connection, organisation_ids: list[str], tables: RegisterTables
) -> dict[str, dict[str, KeyRecord]]:
    keys: dict[str, dict[str, KeyRecord]] = {}
    theirs = select(tables.keys).where(tables.keys.c.organisation_id.in_(organisation_ids))
    for row in connection.execute(theirs.order_by(tables.keys.c.kid)):
        key = KeyRecord(kid=row.kid, algorithm=row.algorithm, status=row.status, pem=row.pem)
        keys.setdefault(row.organisation_id, {})[row.kid] = key
    return keys


def _certificates_of(
    connection: Connection, organisation_ids: list[str], tables: RegisterTables
) -> dict[str, list[str]]:
    table, certificates = tables.certificates, dict[str, list[str]]()
    theirs = select(table).where(table.c.organisation_id.in_(organisation_ids), table.c.removed_at.is_(None))
    for row in connection.execute(theirs.order_by(table.c.registered_at, table.c.thumbprint)):
        certificates.setdefault(row.organisation_id, []).append(row.pem)
    return certificates


def _with_former_keys(record: ParticipantRecord, former: Keys) -> ParticipantRecord:
    """Add the keys that the record leaves out, retired, and leave none unblocked that was blocked."""
    keys = {key.kid: key for key in record.keys}
    kids = {key_thumbprint(key): key.kid for key in record.keys}
    for kid, key in former.items():
        if kid not in keys:
            if alias := kids.get(key_thumbprint(key)):
                raise TakenError(
                    f"{record.organisation_id}: keys: the key of kid {alias} is known as {kid} ({key.status}); "
                    "a key keeps its kid for ever: make a new key pair"
                )
            keys[kid] = retired(key)
            continue
        if key_thumbprint(keys[kid]) != key_thumbprint(key):
            raise TakenError(
                f"{record.organisation_id}: keys: kid {kid} has been used for another key ({key.status}); "
                "a kid keeps its key for ever: give the new key a new kid"
            )
        if key.status is KeyStatus.BLOCKED:
            keys[kid] = key
    return record.model_copy(update={"keys": list(keys.values())})


def _readable(record: ParticipantRecord) -> ParticipantRecord:
    """Return a record as it will be read: an unreadable one would prevent every later start."""
    try:
        return ParticipantRecord.model_validate(record.model_dump())
    except ValidationError as error:
        raise OnboardingError(f"{record.organisation_id}: {first_error(error)}; give another value") from error


def _later_than_any_change(connection: Connection, now: datetime, tables: RegisterTables) -> datetime:
    # `Directory.refresh` goes by this time: a clock that stands still or lags behind another's must not hide a change.
    latest: datetime | None = connection.execute(select(func.max(tables.participants.c.updated_at))).scalar()
    return now if latest is None else max(now, latest + timedelta(microseconds=1))


def _write_participant(
    connection: Connection, record: ParticipantRecord, changed_at: datetime, tables: RegisterTables
) -> None:
    table = tables.participants
    row = record.model_dump(mode="json", exclude={"keys", "tls_certificates"})
    row |= {"ip_addresses": json.dumps(record.ip_addresses), "offboarded_at": None, "offboarded_because": ""}
    row |= {"updated_at": changed_at}
    own = table.c.organisation_id == record.organisation_id
    is_back = table.c.offboarded_at.is_not(None)
    connection.execute(update(table).where(own, is_back).values(onboarded_at=changed_at))
    if not connection.execute(update(table).where(own).values(row)).rowcount:
        connection.execute(insert(table), [{**row, "onboarded_at": changed_at}])


def _write_keys(
    connection: Connection, record: ParticipantRecord, former: Keys, why: Why, tables: RegisterTables
) -> None:
    changed_at, reason = why
    for key in record.keys:
        before = former.get(key.kid)
        if before is not None and before.status is key.status:
            continue
        if before is None:
            row = key.model_dump(mode="json") | {"thumbprint": key_thumbprint(key)}
            connection.execute(insert(tables.keys), [{**row, "organisation_id": record.organisation_id}])
        else:
            changed = update(tables.keys).where(tables.keys.c.kid == key.kid)
            connection.execute(changed.values(status=key.status.value))
        event = {"kid": key.kid, "at": changed_at, "status": key.status.value, "reason": reason}
        connection.execute(insert(tables.key_events), [event])


def _write_certificates(connection: Connection, record: ParticipantRecord, why: Why, tables: RegisterTables) -> None:
    (changed_at, reason), table = why, tables.certificates
    own = table.c.organisation_id == record.organisation_id
    pems = {thumbprint_of(pem): leaf_of(pem).public_bytes(Encoding.PEM).decode() for pem in record.tls_certificates}
    known = set(connection.execute(select(table.c.thumbprint).where(own, table.c.removed_at.is_(None))).scalars())
    for gone in known - pems.keys():
        removed = update(table).where(own, table.c.thumbprint == gone, table.c.removed_at.is_(None))
        connection.execute(removed.values(removed_at=changed_at, removed_because=reason))
    new = [
        {
            "organisation_id": record.organisation_id,
            "thumbprint": thumbprint,
            "registered_at": changed_at,
            "removed_because": "",
            "pem": pem,
        }
        for thumbprint, pem in pems.items()
        if thumbprint not in known
    ]
    if new:
        connection.execute(insert(table), new)
