"""The participants file and our identity file seed the register at start; what the register knows already, counts.

Keys and certificates change through the operator plane; a restart with an old file undoes none of that. Only if the
register has never had any of the keys (or certificates) of a record does it take them from the file: they were all made
anew (`ocen-sandbox pki init`), and the former ones may be lost.
"""

import logging
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from shared.node.onboarding.history import ParticipantHistory, load_history
from shared.node.onboarding.record import ParticipantRecord, key_thumbprint, participant_of, thumbprint_of
from shared.node.onboarding.register import record_to_change, save_record
from shared.storage.schema import take_turns

logger = logging.getLogger(__name__)

REASON: Final = "from a file"

_PLAIN_FIELDS: Final = [name for name in ParticipantRecord.model_fields if name not in ("keys", "tls_certificates")]

_Field = tuple[str, Any]


def seed(connection: Connection, records: Sequence[ParticipantRecord], now: datetime) -> None:
    """Add the participants of a file that the register does not have; for the others log what differs.

    `now` has a time zone (UTC).

    Raises:
        OnboardingError: a record cannot be used; nothing of the file is stored.
    """
    take_turns(connection)
    for listed in records:
        participant_of(listed)
        history = load_history(connection, listed.organisation_id)
        if history is None:
            save_record(connection, listed, now, REASON)
        elif history.offboarded_at is not None:
            logger.warning("%s is offboarded, so its record in the file is left aside", listed.organisation_id)
        else:
            _take_what_is_new(connection, listed, history, now)


def _take_what_is_new(
    connection: Connection, listed: ParticipantRecord, history: ParticipantHistory, now: datetime
) -> None:
    record = record_to_change(connection, listed.organisation_id)
    certificates = {certificate.thumbprint for certificate in history.certificates}
    if made_anew := dict(_made_anew(listed, record, certificates)):
        record = record.model_copy(update=made_anew)
        save_record(connection, record, now, REASON)
    if fields := ", ".join(_left_aside(listed, record, certificates)):
        told = "%s is in the register, which counts; what the file says otherwise is left aside: %s"
        logger.warning(told, listed.organisation_id, fields)


def _made_anew(listed: ParticipantRecord, record: ParticipantRecord, certificates: Set[str]) -> Iterator[_Field]:
    """Return what replaces all former keys or certificates. `certificates`: those that it ever had."""
    known = {name for key in record.keys for name in (key.kid, key_thumbprint(key))}
    if known.isdisjoint(name for key in listed.keys for name in (key.kid, key_thumbprint(key))):
        yield "keys", listed.keys
    if certificates.isdisjoint(map(thumbprint_of, listed.tls_certificates)):
        yield "tls_certificates", listed.tls_certificates


def _left_aside(listed: ParticipantRecord, record: ParticipantRecord, certificates: Set[str]) -> Iterator[str]:
    """Name the fields that differ; keys and certificates only for one that is unknown, or that is to count no more."""
    yield from (name for name in _PLAIN_FIELDS if getattr(listed, name) != getattr(record, name))
    known = {key_thumbprint(key): key.status for key in record.keys}
    for key in listed.keys:
        status = known.get(key_thumbprint(key))
        if status is None or (status.counts and not key.status.counts):
            yield f"key {key.kid}"
    for thumbprint in map(thumbprint_of, listed.tls_certificates):
        if thumbprint not in certificates and thumbprint not in map(thumbprint_of, record.tls_certificates):
            yield f"certificate {thumbprint}"
