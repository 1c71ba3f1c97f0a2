"""What one participant may not register because another one has it: kids, keys and certificates."""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, select

from shared.node.onboarding.certificates import seems_to_issue
from shared.node.onboarding.record import ParticipantRecord, TakenError, key_thumbprint, leaf_of, thumbprint_of
from shared.node.onboarding.register_tables import RegisterTables


def refuse_what_others_have(
    connection: Connection, record: ParticipantRecord, tables: RegisterTables, family: Sequence[str]
) -> None:
    """Refuse a record with a kid, key or certificate of another participant.

    `family` are the ids of participants that may share its certificates.

    Raises:
        TakenError: another participant has it, or a certificate would pass for the issuer of another's.
    """
    own, keys, certificates = record.organisation_id, tables.keys.c, tables.certificates.c
    foreign = select(tables.keys).where(keys.organisation_id != own)
    taken = connection.execute(foreign.where(keys.kid.in_([key.kid for key in record.keys]))).first()
    if taken is not None:
        raise TakenError(f"{own}: keys: kid {taken.kid} is taken; make a new one, a UUID for example")
    shared = connection.execute(
        foreign.where(keys.thumbprint.in_([key_thumbprint(key) for key in record.keys]))
    ).first()
    if shared is not None:
        raise TakenError(f"{own}: keys: a key is another participant's too; make a key pair that nobody else has")
    registered = certificates.thumbprint.in_([thumbprint_of(pem) for pem in record.tls_certificates])
    elsewhere = select(certificates.thumbprint).where(certificates.organisation_id.not_in([own, *family]), registered)
    if connection.execute(elsewhere.where(certificates.removed_at.is_(None))).first() is not None:
        raise TakenError(f"{own}: tls_certificates: registered for another participant; give your own")
    _refuse_what_would_shadow(connection, record, tables.certificates)


def _refuse_what_would_shadow(connection: Connection, record: ParticipantRecord, table: Table) -> None:
    leaves = [leaf_of(pem) for pem in record.tls_certificates]
    others = select(table.c.organisation_id, table.c.pem).where(table.c.organisation_id != record.organisation_id)
    for other in connection.execute(others.where(table.c.removed_at.is_(None))):
        theirs = leaf_of(other.pem)
        if any(seems_to_issue(leaf, theirs) or seems_to_issue(theirs, leaf) for leaf in leaves):
            found = f"by their names one of these and one of {other.organisation_id} seem to be issuer and issued"
            raise TakenError(f"{record.organisation_id}: tls_certificates: {found}; give one with another subject")
