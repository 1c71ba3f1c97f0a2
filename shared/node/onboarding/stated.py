"""What files state of participants, and how it comes into the register without undoing what was changed there since.

A participants file is read at every start, and keys and certificates change between starts through the operator
plane. So of a file only counts what it says anew: what differs from what it said the last time.
"""

from collections.abc import Container, Sequence
from datetime import datetime

from sqlalchemy import Connection

from shared.node.onboarding.record import (
    MOST_CERTIFICATES,
    MOST_COUNTING,
    KeyRecord,
    ParticipantRecord,
    participant_of,
    retired,
    thumbprint_of,
)
from shared.node.onboarding.register import load_record, save_record, stated_record
from shared.node.store.schema import take_turns
from shared.protocol.participants import KeyStatus

REASON = "stated by file"


def take_stated(connection: Connection, records: Sequence[ParticipantRecord], now: datetime) -> list[str]:
    """Take records of a file into the register; return the ids of those left aside because they were offboarded.

    `now` is aware.

    Raises:
        OnboardingError: a record cannot be used; nothing of it is stored.
    """
    take_turns(connection)
    left_aside = []
    for stated in records:
        participant_of(stated)
        before, is_offboarded = stated_record(connection, stated.organisation_id)
        if is_offboarded:
            left_aside.append(stated.organisation_id)
            continue
        current = load_record(connection, stated.organisation_id)
        record = stated if current is None else merged(current, before, stated)
        if record != current or stated != before:
            save_record(connection, record, now, REASON, stated)
    return left_aside


def merged(
    current: ParticipantRecord, before: ParticipantRecord | None, stated: ParticipantRecord
) -> ParticipantRecord:
    """Return what is known now, with what a file says otherwise than before; without a `before` all that it says."""
    if before is None:
        return stated
    changes = {
        name: getattr(stated, name)
        for name in ParticipantRecord.model_fields
        if getattr(stated, name) != getattr(before, name)
    }
    changes["tls_certificates"] = _certificates(current, before, stated)
    changes["keys"] = _keys(current, before, stated)
    return current.model_copy(update=changes)


def _certificates(current: ParticipantRecord, before: ParticipantRecord, stated: ParticipantRecord) -> list[str]:
    known, old, new = (
        {thumbprint_of(pem): pem for pem in record.tls_certificates} for record in (current, before, stated)
    )
    kept = [pem for thumbprint, pem in known.items() if thumbprint in new or thumbprint not in old]
    added = [pem for thumbprint, pem in new.items() if thumbprint not in old and thumbprint not in known]
    return [*kept, *added][-MOST_CERTIFICATES:] or list(new.values())


def _keys(current: ParticipantRecord, before: ParticipantRecord, stated: ParticipantRecord) -> list[KeyRecord]:
    old, new = ({key.kid: key for key in record.keys} for record in (before, stated))
    blocked = {key.kid for key in current.keys if key.status is KeyStatus.BLOCKED}
    anew = {kid: key for kid, key in new.items() if old.get(kid) != key and kid not in blocked}
    dropped = old.keys() - new.keys()
    if not anew and not dropped:
        return current.keys
    keys = {key.kid: key for key in current.keys} | anew
    if sum(key.status.counts for kid, key in keys.items() if kid not in dropped) > MOST_COUNTING:
        # The file brings new keys where two count already: those that it does not know make room.
        dropped |= keys.keys() - new.keys()
    left = [retired(key) if kid in dropped else key for kid, key in keys.items()]
    if not any(key.status.counts for key in left):
        return stated.keys
    return _with_an_active(left, anew, stated)


def _with_an_active(keys: list[KeyRecord], anew: Container[str], stated: ParticipantRecord) -> list[KeyRecord]:
    """Let the key that the file calls ACTIVE anew be the only one, and one be so where the change left none."""
    counting = [key for key in keys if key.status.counts]
    active = [key.kid for key in counting if key.status is KeyStatus.ACTIVE]
    called = {key.kid for key in stated.keys if key.status is KeyStatus.ACTIVE}
    chosen = (
        [kid for kid in active if kid in anew]
        or active
        or [key.kid for key in counting if key.kid in called]
        or [counting[0].kid]
    )
    statuses = {key.kid: KeyStatus.ACTIVE if key.kid in chosen else KeyStatus.BACKUP for key in counting}
    return [key.model_copy(update={"status": statuses.get(key.kid, key.status)}) for key in keys]
