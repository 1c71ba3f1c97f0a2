"""Entering a participant into the register, unless something of it is another's already."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Column, ColumnElement, Connection, insert, or_, select

from registry_app.registration import Registration
from registry_app.store.roles import (
    StoredCertificate,
    StoredKey,
    StoredRole,
    insert_row,
    load_role,
    replace_certificates,
    replace_keys,
)
from registry_app.store.tables import ORGANISATIONS, ROLE_CERTIFICATES, ROLE_KEYS, ROLES, WHITELISTING_ITEMS
from shared.catalogue.bodies.v4.registry import RoleStatus
from shared.node.onboarding.record import TakenError


def enter(connection: Connection, registration: Registration, client: Mapping[str, str], now: datetime) -> StoredRole:
    """Enter a participant, with its organisation if that is new; `client` has its id and hashed secret.

    Raises:
        TakenError: the organisation has that role already, or a key or certificate is another participant's.
    """
    organisation_id = _organisation(connection, registration, now)
    refuse_taken(connection, registration.keys, registration.certificates, None, organisation_id)
    columns = {
        "organisation_id": organisation_id,
        "role": registration.role.value,
        "status": RoleStatus.APPLIED.value,
        "base_url": registration.base_url,
        "created_at": now,
        "updated_at": now,
        "approved_by": "",
        "status_because": "",
    }
    participant_id = insert_row(connection, ROLES, {**columns, **client})
    replace_keys(connection, participant_id, registration.keys)
    replace_certificates(connection, participant_id, registration.certificates)
    _whitelist(connection, participant_id, registration)
    entered = load_role(connection, participant_id)
    assert entered is not None
    return entered


def refuse_taken(
    connection: Connection,
    keys: Sequence[StoredKey],
    certificates: Sequence[StoredCertificate],
    own: StoredRole | None,
    organisation_id: int | None = None,
) -> None:
    """Refuse keys that another participant has, and certificates that another organisation has.

    `own` is the participant that they are for, None where it is only being entered, for the organisation of that id.

    Raises:
        TakenError: one of them is taken.
    """
    organisation_id = own.organisation.id if own else organisation_id
    for key in keys:
        same = or_(ROLE_KEYS.c.kid == key.kid, ROLE_KEYS.c.thumbprint == key.thumbprint)
        holders = _holders(connection, ROLE_KEYS.c.role_id, same)
        if any(own is None or holder != own.id for holder, _ in holders):
            raise TakenError(
                f"public_key: {key.kid} or its kid is another participant's: make a key with a kid of its own"
            )
    for certificate in certificates:
        same = ROLE_CERTIFICATES.c.thumbprint == certificate.thumbprint
        if any(holder != organisation_id for _, holder in _holders(connection, ROLE_CERTIFICATES.c.role_id, same)):
            found = f"sha256 {certificate.thumbprint[:16]}... is another organisation's"
            raise TakenError(f"tls_certificates: {found}: give each organisation its own")


def _holders(connection: Connection, role_id: Column[int], same: ColumnElement[bool]) -> list[tuple[int, int]]:
    """Return the participants (with their organisations) that have such a row and have not been offboarded."""
    joined = select(ROLES.c.id, ROLES.c.organisation_id).join(role_id.table, role_id == ROLES.c.id)
    return [
        (row.id, row.organisation_id) for row in connection.execute(joined.where(same, ROLES.c.offboarded_at.is_(None)))
    ]


def _organisation(connection: Connection, registration: Registration, now: datetime) -> int:
    same_name = select(ORGANISATIONS.c.id).where(ORGANISATIONS.c.name == registration.name)
    organisation_id = connection.execute(same_name).scalar_one_or_none()
    if organisation_id is None:
        facts = ("name", "description", "website", "email", "phone")
        columns = {fact: getattr(registration, fact) for fact in facts}
        return insert_row(connection, ORGANISATIONS, {**columns, "created_at": now, "updated_at": now})
    has_role = (ROLES.c.organisation_id == organisation_id, ROLES.c.role == registration.role.value)
    holder = connection.execute(select(ROLES.c.id).where(*has_role, ROLES.c.offboarded_at.is_(None))).scalar()
    if holder is not None:
        raise TakenError(
            f"name: {registration.name} is {registration.role} already, as participant {holder}: change that one, or "
            "offboard it first"
        )
    return int(organisation_id)


def _whitelist(connection: Connection, participant_id: int, registration: Registration) -> None:
    port = str(urlsplit(registration.base_url).port or 443)
    rows = [
        {"role_id": participant_id, "ip_address": address, "port_number": port}
        for address in dict.fromkeys(registration.ip_addresses)
    ]
    if rows:
        connection.execute(insert(WHITELISTING_ITEMS), rows)
