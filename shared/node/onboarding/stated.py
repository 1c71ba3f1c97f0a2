"""What files state of participants, and how it comes into the register without undoing what was changed there since.

A participants file is read at every start, and keys and certificates change between starts through the operator
plane. So of a file only counts what it says anew: what differs from what it said the last time.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from shared.node.onboarding.record import KeyRecord, ParticipantRecord, retired, thumbprint_of
from shared.node.onboarding.register import load_record, save_record, stated_record

REASON = "stated by file"


def take_stated(connection: Connection, records: Sequence[ParticipantRecord], now: datetime) -> list[str]:
    """Take records of a file into the register; return the ids of those left aside because they were offboarded.

    `now` is aware.

    Raises:
        OnboardingError: a record cannot be used; nothing of it is stored.
    """
    left_aside = []
    for stated in records:
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
    return [*kept, *added] or list(new.values())


def _keys(current: ParticipantRecord, before: ParticipantRecord, stated: ParticipantRecord) -> list[KeyRecord]:
    old, new = ({key.kid: key for key in record.keys} for record in (before, stated))
    keys = {key.kid: key for key in current.keys}
    keys |= {kid: key for kid, key in new.items() if old.get(kid) != key}
    dropped = old.keys() - new.keys()
    if sum(key.status.counts for kid, key in keys.items() if kid not in dropped) > 2:
        # The file brings new keys where two count already: those that it does not know make room.
        dropped |= keys.keys() - new.keys()
    return [retired(key) if kid in dropped else key for kid, key in keys.items()]
