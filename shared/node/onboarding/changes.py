"""What may happen to a participant's keys and certificates after onboarding: pure functions from record to record."""

from collections.abc import Mapping

from shared.node.onboarding.certificates import absent_uses
from shared.node.onboarding.record import (
    MOST_CERTIFICATES,
    MOST_KEYS,
    KeyRecord,
    ParticipantRecord,
    TakenError,
    UnknownError,
    key_thumbprint,
    thumbprint_of,
)
from shared.protocol.participants import KeyStatus

_SHORTEST_THUMBPRINT = 8


def with_key(record: ParticipantRecord, key: KeyRecord) -> ParticipantRecord:
    """Add a key: as back-up, or as the active one where none counts.

    Raises:
        TakenError: two keys count already, the kid is that of a key that was not retired, or the key has another kid.
    """
    counting = [known for known in record.keys if known.status.counts]
    if any(known.kid == key.kid and known.status is not KeyStatus.RETIRED for known in record.keys):
        raise TakenError(f"{record.organisation_id}: kid {key.kid} is there already: give a new key a new kid")
    if len(counting) >= MOST_KEYS:
        kids = " and ".join(known.kid for known in counting)
        raise TakenError(f"{record.organisation_id}: two keys count already, {kids}: retire or block one first")
    for known in record.keys:
        if known.kid != key.kid and key_thumbprint(known) == key_thumbprint(key):
            found = f"this key is there already as {known.kid} ({known.status})"
            raise TakenError(f"{record.organisation_id}: {found}: make a new key pair")
    status = KeyStatus.BACKUP if counting else KeyStatus.ACTIVE
    others = [known for known in record.keys if known.kid != key.kid]
    return record.model_copy(update={"keys": [*others, key.model_copy(update={"status": status})]})


def with_active(record: ParticipantRecord, kid: str) -> ParticipantRecord:
    """Make a back-up key the active one; the former stays as back-up.

    Raises:
        UnknownError: there is no such key.
        TakenError: it does not count.
    """
    key = key_named(record, kid)
    if not key.status.counts:
        again = "add it again, or " if key.status is KeyStatus.RETIRED else ""
        raise TakenError(f"{record.organisation_id}: kid {kid} is {key.status}: {again}add a new key with a new kid")
    former = {key.kid: KeyStatus.BACKUP for key in record.keys if key.status is KeyStatus.ACTIVE}
    return _with_statuses(record, former | {kid: KeyStatus.ACTIVE})


def without_key(record: ParticipantRecord, kid: str, status: KeyStatus) -> ParticipantRecord:
    """Let a key count no more: RETIRED or BLOCKED. Where it was the active one, the back-up takes its place.

    Raises:
        UnknownError: there is no such key.
        TakenError: it is blocked, and is to be merely retired.
    """
    key = key_named(record, kid)
    if key.status is KeyStatus.BLOCKED and status is not KeyStatus.BLOCKED:
        raise TakenError(f"{record.organisation_id}: kid {kid} is BLOCKED, and stays so")
    statuses = {kid: status}
    backup = next((key.kid for key in record.keys if key.status is KeyStatus.BACKUP and key.kid != kid), None)
    if key.status is KeyStatus.ACTIVE and backup is not None:
        statuses[backup] = KeyStatus.ACTIVE
    return _with_statuses(record, statuses)


def with_certificate(record: ParticipantRecord, pem: str) -> ParticipantRecord:
    """Return the record with a further TLS certificate; the others stay valid beside it.

    Raises:
        TakenError: the participant has as many as it may have.
    """
    if thumbprint_of(pem) in map(thumbprint_of, record.tls_certificates):
        return record
    if len(record.tls_certificates) >= MOST_CERTIFICATES:
        raise TakenError(f"{record.organisation_id}: {MOST_CERTIFICATES} certificates already: remove an old one first")
    return record.model_copy(update={"tls_certificates": [*record.tls_certificates, pem]})


def without_certificate(record: ParticipantRecord, thumbprint: str) -> ParticipantRecord:
    """Remove a TLS certificate, named by its thumbprint or the first characters of it.

    Raises:
        UnknownError: none, or more than one, has that thumbprint.
        TakenError: it is the only one, or the only one for its use.
    """
    wanted = thumbprint.lower().replace(":", "")
    is_told = len(wanted) >= _SHORTEST_THUMBPRINT
    gone = [pem for pem in record.tls_certificates if is_told and thumbprint_of(pem).startswith(wanted)]
    if len(gone) != 1:
        known = ", ".join(thumbprint_of(pem)[:16] for pem in record.tls_certificates)
        raise UnknownError(f"{record.organisation_id}: no certificate with sha256 {thumbprint[:64]}: it has {known}")
    if len(record.tls_certificates) == 1:
        raise TakenError(f"{record.organisation_id}: its only certificate: add another first, or offboard it")
    left = [pem for pem in record.tls_certificates if pem not in gone]
    if lost := [use for use in absent_uses(left) if use not in absent_uses(record.tls_certificates)]:
        raise TakenError(f"{record.organisation_id}: its only certificate for {lost[0]}: add another for that first")
    return record.model_copy(update={"tls_certificates": left})


def key_named(record: ParticipantRecord, kid: str) -> KeyRecord:
    """Return the key of that kid.

    Raises:
        UnknownError: there is none.
    """
    for key in record.keys:
        if key.kid == kid:
            return key
    raise UnknownError(
        f"{record.organisation_id}: no key {kid[:128]}: it has {', '.join(key.kid for key in record.keys)}"
    )


def _with_statuses(record: ParticipantRecord, statuses: Mapping[str, KeyStatus]) -> ParticipantRecord:
    keys = [key.model_copy(update={"status": statuses.get(key.kid, key.status)}) for key in record.keys]
    return record.model_copy(update={"keys": keys})
