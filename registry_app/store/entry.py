"""Adding a participant to the register, and changing its entry."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert, select, update

from registry_app.store.roles import StoredRole, insert_row, load_role
from registry_app.store.tables import NETWORK_REGISTER, ORGANISATIONS, PARTICIPANT_ID, ROLES, WHITELISTING_ITEMS
from shared.catalogue.bodies.v4.registry import RoleStatus
from shared.node.onboarding.record import ParticipantRecord, TakenError
from shared.node.onboarding.register import save_record


def enter(
    connection: Connection,
    record: ParticipantRecord,
    organisation: Mapping[str, str],
    client: Mapping[str, str],
    now: datetime,
) -> StoredRole:
    """Enter a participant, with its organisation if that is new; `client` has its id and hashed secret.

    Raises:
        TakenError: the organisation has that role already, or a key or certificate is another participant's.
    """
    organisation_id = _organisation(connection, record, organisation, now)
    applied = {"status": RoleStatus.APPLIED.value, "approved_by": "", "status_because": ""}
    participant_id = insert_row(connection, ROLES, {"organisation_id": organisation_id, **applied, **client})
    _whitelist(connection, participant_id, record)
    plain = {"organisation_id": str(participant_id), "ip_addresses": [], "spoc_email": "", "spoc_phone": ""}
    try:
        save(connection, record.model_copy(update=plain), now)
    except TakenError as error:  # the number was never given to anybody
        raise TakenError(str(error).removeprefix(f"{participant_id}: ")) from error
    entered = load_role(connection, participant_id)
    assert entered is not None
    return entered


def save(connection: Connection, record: ParticipantRecord, now: datetime) -> None:
    """Write a participant's entry. A key of an offboarded participant is free for others.

    Raises:
        OnboardingError, TakenError: as `save_record` says. Roles of one organisation may share certificates.
    """
    participants, keys = NETWORK_REGISTER.participants.c, NETWORK_REGISTER.keys
    gone = select(participants.organisation_id).where(participants.offboarded_at.is_not(None))
    free = keys.c.kid.in_([key.kid for key in record.keys]), keys.c.organisation_id.in_(gone)
    connection.execute(update(keys).where(*free).values(organisation_id=record.organisation_id))
    own = select(ROLES.c.organisation_id).where(ROLES.c.id == int(record.organisation_id)).scalar_subquery()
    family = connection.execute(select(PARTICIPANT_ID).where(ROLES.c.organisation_id == own)).scalars().all()
    save_record(connection, record, now, tables=NETWORK_REGISTER, family=family)


def _organisation(
    connection: Connection, record: ParticipantRecord, organisation: Mapping[str, str], now: datetime
) -> int:
    same_name = select(ORGANISATIONS.c.id).where(ORGANISATIONS.c.name == record.name)
    organisation_id = connection.execute(same_name).scalar_one_or_none()
    if organisation_id is None:
        columns = {"name": record.name, **organisation, "created_at": now, "updated_at": now}
        return insert_row(connection, ORGANISATIONS, columns)
    participants = NETWORK_REGISTER.participants.c
    roles = select(ROLES.c.id).where(ROLES.c.organisation_id == organisation_id, ROLES.c.secret_hash.is_not(None))
    same_role = roles.where(participants.organisation_id == PARTICIPANT_ID, participants.role == record.role.value)
    holder = connection.execute(same_role).scalar()
    if holder is not None:
        raise TakenError(
            f"name: {record.name} is {record.role} already, as participant {holder}: change that one, or offboard it "
            "first"
        )
    return int(organisation_id)


def _whitelist(connection: Connection, participant_id: int, record: ParticipantRecord) -> None:
    port = str(urlsplit(record.base_url).port or 443)
    rows = [
        {"role_id": participant_id, "ip_address": address, "port_number": port}
        for address in dict.fromkeys(record.ip_addresses)
    ]
    if rows:
        connection.execute(insert(WHITELISTING_ITEMS), rows)
